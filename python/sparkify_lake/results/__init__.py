"""The results of calls: frozen data, made from the mappings of the native module."""
