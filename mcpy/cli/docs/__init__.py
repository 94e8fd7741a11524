"""Man pages, shell completions and the README's tables, generated from the command tree.

``python -m mcpy.cli.docs`` writes them; with ``--check`` it names those that are stale and fails.
"""
