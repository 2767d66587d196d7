"""Configuration: files, environment, arguments, secrets and time ranges."""
