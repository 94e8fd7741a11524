"""Clients of the wire protocols, one each: S3, MinIO's admin and KMS API, and KES.

Synchronous and typed; nothing here prints, prompts or reads the environment.
"""
