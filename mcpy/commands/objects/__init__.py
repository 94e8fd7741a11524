"""Buckets and objects: ``mb``, ``rb``, ``ls``, ``stat``, ``cp``, ``cat`` and ``rm``."""
