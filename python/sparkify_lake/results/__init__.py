"""What calls return: frozen data, made from the mappings of the native module."""
