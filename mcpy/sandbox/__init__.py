"""An embedded KES and S3 server with real envelope encryption; not for production."""
