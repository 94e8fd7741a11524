"""mcpy: the admin client for encryption at rest on MinIO and KES."""

__version__ = "0.1.0"
