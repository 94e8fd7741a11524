"""The sandbox's S3 server: the protocol (signatures, bodies, errors) and the operations."""
