"""Batch key rotation over the sandbox's store, with the habits of the real one.

Plaintext objects are left alone. The time of a version becomes now, so that a rotated version of
a deleted object stands before its delete marker again.
"""

from __future__ import annotations

import time
from itertools import groupby
from typing import TYPE_CHECKING

from mcpy.sandbox import envelope
from mcpy.sandbox.admin.batch import internal
from mcpy.sandbox.admin.deployment import Census
from mcpy.sandbox.kms import KmsProblem
from mcpy.sandbox.s3.errors import S3Problem
from mcpy.sandbox.s3.sse import generation_problem
from mcpy.sandbox.store import NoBucketError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mcpy.sandbox.admin.batch import KeyRotation, Progress
    from mcpy.sandbox.kms import Kms
    from mcpy.sandbox.store import ObjectVersion, Store

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
        if job.key.strip() != job.key:
            raise S3Problem.of("InvalidKmsKeyId")
        if job.kind == "sse-kms" and job.key:
            try:
                kms.generate(job.key, PROBE_CONTEXT)
            except KmsProblem as e:
                raise generation_problem(e) from e

    def rotate(self, job: KeyRotation, progress: Progress) -> None:
        """See ``BatchEngine``."""
        # the index is read before it is changed: what is rotated moves within its object
        for version in list(self._sealed(job)):
            if progress.cancelled.is_set():
                return
            ok = self._reseal(job, version)
            progress.done(job.bucket, version.key, ok=ok)

    def _sealed(self, job: KeyRotation) -> Iterator[ObjectVersion]:
        """Yield encrypted versions, each object's from old to new."""
        for _, versions in groupby(self._store.versions(job.bucket), key=lambda v: v.key):
            for version in reversed(list(versions)):
                encrypted = envelope.kind_of(version.metadata) in {"SSE-S3", "SSE-KMS"}
                if encrypted and not version.marker and version.key.startswith(job.prefix):
                    yield version

    def _reseal(self, job: KeyRotation, version: ObjectVersion) -> bool:
        sse_kms = envelope.kind_of(version.metadata) == "SSE-KMS"
        if sse_kms and job.kind == "sse-s3":
            return False
        key = job.key if sse_kms else ""
        try:
            metadata = envelope.rotated(
                version.metadata, self._kms(), job.bucket, version.key, key=key
            )
        except (KmsProblem, envelope.EnvelopeError):
            return False

        def renewed(now: ObjectVersion) -> ObjectVersion:
            replaced = now.metadata != version.metadata
            return now if replaced else now.copy(metadata=metadata, mtime_ns=time.time_ns())

        updated = self._store.update(job.bucket, version.key, version.version_id, renewed)
        return updated is not None and updated.metadata == metadata

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
        for _, group in groupby(store.versions(bucket.name), key=lambda v: v.key):
            latest, *older = group
            objects += not latest.marker
            versions += sum(not version.marker for version in older)
            markers += sum(version.marker for version in (latest, *older))
            size += sum(version.size for version in (latest, *older))
    return Census(len(buckets), objects, versions, markers, size)
