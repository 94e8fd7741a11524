"""MinIO's batch jobs: started with a YAML document, worked on by the servers themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mcpy.api.http import json_object
from mcpy.errors import NotFoundError, ProtocolError, S3Error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcpy.api.madmin import MinioAdmin

NO_SUCH_JOB = "XMinioAdminNoSuchJob"


class NoJobError(NotFoundError):
    """A job the server does not know, or no longer; in JSON it has the server's own code."""

    def __init__(self, job: str, refusal: S3Error, *, hint: str) -> None:
        super().__init__(f"no job `{job}`", hint=hint)
        self._refusal = refusal

    def cause(self) -> dict[str, Any]:
        """Return the server's refusal, as mc shows it."""
        return self._refusal.cause()


class BatchJobs:
    """The jobs of one deployment; methods raise S3Error when the server refuses."""

    def __init__(self, admin: MinioAdmin) -> None:
        self._admin = admin

    def start(self, document: str) -> dict[str, Any]:
        """Start a job; return its ``id, type, user, started``."""
        answer = self._admin.call("POST", "start-job", {}, content=document.encode())
        found = json_object(answer, self._admin.http.where)
        if not found.get("id"):
            raise ProtocolError(f"{self._admin.http.where} started a job without an id")
        return found

    def list(self, kind: str = "") -> list[dict[str, Any]]:
        """Return the jobs of a type, or all: ``id, type, user, started``."""
        answer = self._admin.call("GET", "list-jobs", {"jobType": kind})
        found = json_object(answer, self._admin.http.where).get("jobs") or []
        return [job for job in found if isinstance(job, dict)]

    def status(self, job: str) -> dict[str, Any]:
        """Return how far a job is: ``complete, failed, rotation`` and more, as sent.

        Raises:
            NoJobError: there is none, or it has only just been started.
        """
        answer = self._call("GET", "status-job", {"jobId": job}, job)
        metric = json_object(answer, self._admin.http.where).get("LastMetric")
        if not isinstance(metric, dict):
            raise ProtocolError(f"{self._admin.http.where} answered no state of a job")
        return metric

    def describe(self, job: str) -> str:
        """Return a job's YAML, as the server understood it."""
        body: bytes = self._call("GET", "describe-job", {"jobId": job}, job).body
        return body.decode("utf-8", "replace")

    def cancel(self, job: str) -> None:
        """Stop a job and forget its document; the server takes any id."""
        self._admin.call("DELETE", "cancel-job", {"id": job})

    def _call(self, method: str, op: str, query: Mapping[str, str], job: str) -> Any:  # noqa: ANN401
        try:
            return self._admin.call(method, op, query)
        except S3Error as e:
            if e.api_code == NO_SUCH_JOB or "unknown job type" in e.server_message:
                raise NoJobError(job, e, hint=f"mcpy batch list {self._admin.alias}") from e
            raise
