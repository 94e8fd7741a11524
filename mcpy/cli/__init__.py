"""The command-line core: lazy groups, global options, one output, one place for progress."""
