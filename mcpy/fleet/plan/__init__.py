"""Encryption as a file says it should be: read the file, compare, change, prove; or write it."""
