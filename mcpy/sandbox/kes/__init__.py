"""A KES server: the 22 endpoints, its policies, its key files and its ciphertext, byte for byte.

Where a real server and its documentation differ, the recordings of the real server win; the few
places where this one is better on purpose (log streams that deliver, listings that are complete,
a status that its own client can read) say so where they stand.
"""
