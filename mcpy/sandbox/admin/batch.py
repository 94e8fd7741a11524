"""Batch jobs: what is known of each, and the thread that works on it.

The work itself is behind ``BatchEngine``.
"""

from __future__ import annotations

import secrets
import string
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from mcpy.sandbox.s3.errors import S3Problem
from mcpy.sandbox.s3.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

ID_LETTERS = "".join(c for c in string.digits + string.ascii_letters if c not in "01OIl")
STOP_S = 5.0
KINDS = ("replicate", "keyrotate", "expire")
_CAUSE = "We encountered an internal error, please try again.: cause({})"


@dataclass(frozen=True)
class KeyRotation:
    """A ``keyrotate`` job: seal the objects' keys in ``bucket`` anew.

    Attributes:
        kind: ``sse-s3`` or ``sse-kms``.
        key: KMS key for ``sse-kms``, empty for the default key.
    """

    bucket: str
    prefix: str
    kind: str
    key: str


@dataclass
class Progress:
    """How far a job is; read by status requests while the engine works."""

    last_bucket: str = ""
    last_object: str = ""
    objects: int = 0
    failed: int = 0
    cancelled: threading.Event = field(default_factory=threading.Event, repr=False)

    def done(self, bucket: str, name: str, *, ok: bool) -> None:
        """Count one object version."""
        self.last_bucket, self.last_object = bucket, name
        if ok:
            self.objects += 1
        else:
            self.failed += 1


class BatchEngine(Protocol):
    """Does the work of batch jobs."""

    def check(self, job: KeyRotation) -> None:
        """Refuse a job that cannot work.

        Raises:
            S3Problem: no such bucket, or the KMS key does not work.
        """
        ...

    def rotate(self, job: KeyRotation, progress: Progress) -> None:
        """Do ``job``, count in ``progress`` and stop soon after ``progress.cancelled``."""
        ...


@dataclass
class Job:
    """One job that was started."""

    id: str
    user: str
    started: datetime
    rotation: KeyRotation
    progress: Progress = field(default_factory=Progress)
    updated: datetime | None = None
    complete: bool = False
    failed: bool = False

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.complete or self.failed or self.progress.cancelled.is_set()

    def summary(self) -> dict[str, Any]:
        """Return what starting and listing jobs answer."""
        return {
            "id": self.id,
            "type": "keyrotate",
            "user": self.user,
            "started": rfc3339(self.started),
        }

    def metric(self) -> dict[str, Any]:
        """Return what a status request answers."""
        progress = self.progress
        return {
            "jobID": self.id,
            "jobType": "keyrotate",
            "startTime": rfc3339(self.started),
            "lastUpdate": rfc3339(self.updated or self.started),
            "retryAttempts": 0,
            "complete": self.complete,
            "failed": self.failed,
            "rotation": {
                "lastBucket": progress.last_bucket,
                "lastObject": progress.last_object,
                "objects": progress.objects,
                "objectsFailed": progress.failed,
            },
        }


class Jobs:
    """All jobs of this run of the server.

    Args:
        engine: does the work; None refuses every job.
        now: aware clock.
        problem: gets what an engine did not expect, for the log.
    """

    def __init__(
        self,
        engine: BatchEngine | None,
        now: Callable[[], datetime],
        problem: Callable[[str], None],
    ) -> None:
        self.engine = engine
        self._now = now
        self._problem = problem
        self._jobs: dict[str, Job] = {}
        self._threads: list[threading.Thread] = []

    def start(self, rotation: KeyRotation, user: str) -> Job:
        """Check ``rotation`` and work on it in the background.

        Raises:
            S3Problem: it cannot work.
        """
        if self.engine is None:
            raise S3Problem.of("NotImplemented")
        self.engine.check(rotation)
        name = "".join(secrets.choice(ID_LETTERS) for _ in range(22))
        job = Job(f"keyrotate-{name}:-1", user, self._now(), rotation)
        self._jobs[job.id] = job
        thread = threading.Thread(target=self._work, args=(self.engine, job), daemon=True)
        self._threads = [t for t in self._threads if t.is_alive()] + [thread]
        thread.start()
        return job

    def find(self, job_id: str) -> Job:
        """Return a job.

        Raises:
            S3Problem: there is none, or the id is not one of a job.
        """
        if job_id in self._jobs:
            return self._jobs[job_id]
        raise S3Problem.of("XMinioAdminNoSuchJob")

    def status(self, job_id: str) -> Job:
        """Return a job, as ``find``; what cannot be an id is an internal error here."""
        if job_id.partition("-")[0] not in KINDS:
            raise internal("unknown job type")
        return self.find(job_id)

    def known(self, kind: str) -> list[Job]:
        """Return jobs nobody cancelled, finished ones too; ``kind`` may be empty."""
        jobs = [job for job in self._jobs.values() if not job.progress.cancelled.is_set()]
        return jobs if kind in {"", "keyrotate"} else []

    def described(self, job_id: str) -> Job:
        """Return a job, as ``find``; a cancelled one is gone."""
        job = self.find(job_id)
        if job.progress.cancelled.is_set():
            raise S3Problem.of("XMinioAdminNoSuchJob")
        return job

    def cancel(self, job_id: str) -> None:
        """Stop a job; one that is not there is as good as stopped."""
        if job_id in self._jobs:
            self._jobs[job_id].progress.cancelled.set()

    def stop(self) -> None:
        """Stop all jobs; return when they have, or after a while."""
        for job in self._jobs.values():
            job.progress.cancelled.set()
        for thread in self._threads:
            thread.join(STOP_S)

    def _work(self, engine: BatchEngine, job: Job) -> None:
        unexpected = True
        try:
            engine.rotate(job.rotation, job.progress)
            unexpected = False
        except S3Problem as e:
            self._problem(f"batch: {job.id}: {e}")
        finally:
            job.updated = self._now()
            job.failed = unexpected or job.progress.failed > 0
            job.complete = not job.failed and not job.progress.cancelled.is_set()


def internal(cause: str) -> S3Problem:
    """Return 500 InternalError as the real server words an unexpected cause."""
    return S3Problem("InternalError", 500, _CAUSE.format(cause))
