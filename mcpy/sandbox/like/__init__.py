"""Personalities: the sandbox's S3 server answers as another server would, dangers included.

A personality is a ``Like``: the points at which the S3 server asks it are methods and attributes
of that class, which is MinIO itself. One file per server says what it does differently, and no
other code knows of it. What was measured, and what is left out on purpose, stands in
docs/sandbox.md; tests/sandbox/test_like_recorded.py compares cell by cell.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from mcpy.errors import InputError

if TYPE_CHECKING:
    from mcpy.sandbox.like.base import Like


class Entry(NamedTuple):
    """Where a personality is, and what it is in one line."""

    place: str
    about: str


PERSONALITIES = {
    "minio": Entry("base:Like", "MinIO: what the sandbox is without `--like`"),
    "aws": Entry("aws:Aws", "Amazon S3: always encrypts, blocks SSE-C, re-keys in place"),
    "ceph": Entry("ceph:Reef", "Ceph RGW 18 without Vault: copies are not encrypted, tags lost"),
    "ceph-pacific": Entry("ceph:Pacific", "Ceph RGW 16: DELETE ?encryption deletes the bucket"),
    "garage": Entry("garage:Garage", "Garage 2.0: SSE-C only, ignores everything else"),
    "moto": Entry("moto:Moto", "moto 5.2: remembers SSE headers, encrypts nothing"),
    "rustfs": Entry("rustfs:RustFs", "RustFS before 1.0.0-rc.1: a copy onto itself destroys"),
    "s3mock": Entry("s3mock:S3Mock", "S3Mock 5.2: DELETE ?encryption deletes the bucket"),
    "seaweedfs": Entry("seaweedfs:SeaweedFs", "SeaweedFS 4.44 with KEK and KMS"),
    "seaweedfs-default": Entry("seaweedfs:Keyless", "SeaweedFS 4.44 as installed, without keys"),
    "versitygw": Entry("versitygw:VersityGw", "VersityGW: ignores every SSE header, SSE-C too"),
}
NAMES = tuple(PERSONALITIES)


def personality(name: str) -> Like:
    """Return a new personality called ``name``.

    Raises:
        InputError: there is none.
    """
    try:
        module, _, kind = PERSONALITIES[name].place.partition(":")
    except KeyError:
        raise InputError(
            f"the sandbox cannot be like `{name}`", hint=f"one of {', '.join(NAMES)}"
        ) from None
    made: Like = getattr(import_module(f"{__name__}.{module}"), kind)()
    return made
