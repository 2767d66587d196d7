"""The command-line program: its output, exit codes, signals and progress."""
