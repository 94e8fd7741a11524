"""The commands, one file a group: parse, call, emit."""
