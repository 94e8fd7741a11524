"""Batch key rotation over the sandbox's store, with the habits of the real one.

Plaintext objects are left alone. The time of a version becomes now, so that a rotated version of
a deleted object stands before its delete marker again.
"""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING

from mcpy.sandbox import envelope
from mcpy.sandbox.admin.batch import internal
from mcpy.sandbox.admin.deployment import Census
from mcpy.sandbox.kms import KmsProblem
from mcpy.sandbox.s3.errors import S3Problem
from mcpy.sandbox.s3.sse import generation_problem
from mcpy.sandbox.store import NoBucketError
from mcpy.sandbox.store.model import ObjectVersion, encode_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mcpy.sandbox.admin.batch import KeyRotation, Progress
    from mcpy.sandbox.kms import Kms
    from mcpy.sandbox.store import Store

BATCH = 1000
PROBE_CONTEXT = {"MinIO batch API": "batchrotate"}


class StoreEngine:
    """Seals the keys of stored objects anew; content stays as it is."""

    def __init__(self, store: Store, kms: Callable[[], Kms | None]) -> None:
        self._store = store
        self._kms = kms

    def check(self, job: KeyRotation) -> None:
        """See ``BatchEngine``."""
        kms = self._require_kms()
        try:
            self._store.bucket(job.bucket)
        except NoBucketError as e:
            raise internal("The specified source bucket does not exist") from e
        if job.kind == "sse-kms" and job.key:
            try:
                kms.generate(job.key, PROBE_CONTEXT)
            except KmsProblem as e:
                raise generation_problem(e) from e

    def rotate(self, job: KeyRotation, progress: Progress) -> None:
        """See ``BatchEngine``."""
        for version in list(_versions(self._store, job.bucket, job.prefix)):
            if progress.cancelled.is_set():
                return
            kind = envelope.kind_of(version.metadata)
            if version.marker or kind in {None, "SSE-C"}:
                continue
            progress.done(job.bucket, version.key, ok=self._reseal(job, version))

    def _reseal(self, job: KeyRotation, version: ObjectVersion) -> bool:
        kms = self._require_kms()
        kind = envelope.kind_of(version.metadata)
        if kind == "SSE-KMS" and job.kind == "sse-s3":
            return False
        key = job.key if kind == "SSE-KMS" and job.key else kms.default_key
        context = envelope.stored_context(version.metadata)
        try:
            oek = envelope.object_key(version.metadata, kms, job.bucket, version.key)
            made = kms.generate(key, envelope.kms_context(context, job.bucket, version.key))
        except (KmsProblem, envelope.EnvelopeError):
            return False
        sealed = envelope.reseal(
            oek, made.plaintext, kind or "SSE-S3", job.bucket, version.key
        ) | {
            envelope.KMS_KEY: key,
            envelope.KMS_SEALED_DEK: base64.b64encode(made.ciphertext).decode(),
        }

        def renewed(old: ObjectVersion) -> ObjectVersion:
            return old.copy(metadata=old.metadata | sealed, mtime_ns=time.time_ns())

        updated = self._store.update(job.bucket, version.key, version.version_id, renewed)
        return updated is not None

    def _require_kms(self) -> Kms:
        kms = self._kms()
        if kms is None:
            raise S3Problem.of("KmsNotConfigured")
        return kms


def census_of(store: Store) -> Census:
    """Count what ``store`` holds; reads the whole index."""
    buckets = store.buckets()
    objects = versions = markers = size = 0
    for bucket in buckets:
        previous = None
        for version in _versions(store, bucket.name, "", oldest_first=False):
            latest, previous = version.key != previous, version.key
            markers += version.marker
            versions += not version.marker and not latest
            objects += not version.marker and latest
            size += version.size
    return Census(len(buckets), objects, versions, markers, size)


def _versions(
    store: Store, bucket: str, prefix: str, *, oldest_first: bool = True
) -> Iterator[ObjectVersion]:
    """Yield every version, name by name."""
    start, after = encode_key(prefix), False
    while rows := store.scan(bucket, start, limit=BATCH, after=after):
        last = rows[-1]
        rows += store.rest_of_key(bucket, last, limit=1_000_000)
        start, after = last[0], True
        group: list[ObjectVersion] = []
        for version in map(ObjectVersion.decode, rows):
            if not version.key.startswith(prefix):
                return
            if group and group[0].key != version.key:
                yield from reversed(group) if oldest_first else group
                group = []
            group.append(version)
        yield from reversed(group) if oldest_first else group
