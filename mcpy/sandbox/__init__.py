"""The embedded sandbox: a KES and an S3 server that really encrypt, on loopback. Not for production."""
