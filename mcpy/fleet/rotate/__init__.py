"""Take objects from one KMS key to another, by the best that the server can do, and prove it.

``survey``   what is there, by key: for the choice of an engine, and for the proof afterwards
``engine``   which engine, and why not another
``batch``    MinIO's keyrotate job, tried out on scratch objects first
``aws``      AWS's UpdateObjectEncryption
``session``  all of it for one target
"""
