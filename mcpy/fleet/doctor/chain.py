"""The chain of an alias, in the order in which its links depend on each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcpy.fleet.doctor import buckets, content, kes, kms, objects, server
from mcpy.fleet.doctor.step import Link, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcpy.fleet.doctor.step import Patient, Step
    from mcpy.models import Target

LINKS = (
    Link("alias", server.alias),
    Link("server", server.server),
    Link("s3", server.s3, needs=("server",)),
    Link("admin", server.admin, needs=("server", "s3")),
    Link("kms", kms.kms, needs=("admin",)),
    Link("key", kms.key, needs=("admin", "kms")),
    Link("permissions", kms.permissions, needs=("admin", "kms", "key")),
    Link("kes", kes.kes),
    Link("buckets", buckets.buckets, needs=("s3", "key")),
    Link("objects", content.objects, needs=("s3", "key")),
)


def examine(patient: Patient) -> Iterator[Step]:
    """Yield every link of the chain; nothing is changed."""
    yield from walk(patient, LINKS)


def examine_target(patient: Patient, target: Target, version_id: str = "") -> Iterator[Step]:
    """Yield why a bucket's uploads, or the reading of one object, can or cannot work."""
    look = objects.Look(target, version_id)
    yield from walk(
        patient,
        (
            Link("alias", server.alias),
            Link("server", server.server),
            Link("bucket", look.bucket, needs=("server",)),
            *((Link("object", look.object, needs=("server", "bucket")),) if target.key else ()),
        ),
    )
