"""The sandbox's admin API: service, info, KMS, configuration, batch jobs and health."""

from mcpy.sandbox.admin.app import AdminApp
from mcpy.sandbox.admin.batch import BatchEngine, KeyRotation, Progress
from mcpy.sandbox.admin.deployment import Census, Deployment
from mcpy.sandbox.admin.keyrotation import StoreEngine, census_of
from mcpy.sandbox.admin.router import Router

__all__ = [
    "AdminApp",
    "BatchEngine",
    "Census",
    "Deployment",
    "KeyRotation",
    "Progress",
    "Router",
    "StoreEngine",
    "census_of",
]
