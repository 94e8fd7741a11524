"""Batch jobs over the admin API: plain YAML in, JSON out."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any

import yaml

from mcpy.sandbox.admin.batch import KINDS, KeyRotation, internal
from mcpy.sandbox.admin.call import TEXT, answer_json
from mcpy.sandbox.message import Response
from mcpy.sandbox.s3.errors import S3Problem, go_json
from mcpy.sandbox.s3.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcpy.sandbox.admin.batch import Job
    from mcpy.sandbox.admin.call import AdminCall

BATCH_JOBS = 8
METRICS_INTERVAL_S = 0.5
NO_KMS = "KMS not configured for a server side encrypted objects"
_DESCRIBED = """\
replicate: null
keyrotate:
    apiVersion: v1
    flags:
        filter:
            kmskeyid: ""
        notify:
            endpoint: ""
            token: ""
        retry:
            attempts: 0
            delay: 0s
    bucket: {bucket}
    prefix: {prefix}
    encryption:
        type: {kind}
        key: {key}
        context: ""
expire: null
"""


def start_job(call: AdminCall) -> Response:
    """Start a key rotation. Fields nobody knows are ignored, and so are all filters."""
    rotation = read_rotation(call.body())
    if call.services.kms is None:
        raise S3Problem.of("KmsNotConfigured", NO_KMS)
    job = call.services.jobs.start(rotation, call.caller.access_key)
    return answer_json(job.summary())


def list_jobs(call: AdminCall) -> Response:
    """Answer jobs, null when there are none."""
    jobs = call.services.jobs.known(call.param("jobType"))
    now = call.services.now()

    def entry(job: Job) -> dict[str, Any]:
        elapsed_ns = int((now - job.started).total_seconds() * 1e9)
        return job.summary() | {"elapsed": elapsed_ns}

    return answer_json({"jobs": [entry(job) for job in jobs] or None}, kind=TEXT, end=b"\n")


def status_job(call: AdminCall) -> Response:
    """Answer how far a job is."""
    job = call.services.jobs.status(_required(call, "jobId"))
    return answer_json({"LastMetric": job.metric()}, kind=TEXT)


def describe_job(call: AdminCall) -> Response:
    """Answer a job's YAML with every field the server knows."""
    rotation = call.services.jobs.described(_required(call, "jobId")).rotation
    text = _DESCRIBED.format(
        bucket=_scalar(rotation.bucket),
        prefix=_scalar(rotation.prefix),
        kind=rotation.kind,
        key=_scalar(rotation.key),
    )
    return Response(200, [("Content-Type", TEXT)], text.encode())


def metrics(call: AdminCall) -> Response:
    """Stream the state of batch jobs, a line for each interval, until they have ended."""
    wanted = call.param("by-jobID")
    jobs = [job for job in call.services.jobs.known("") if wanted in {"", job.id}]
    batch_jobs = call.param("types").isdigit() and int(call.param("types")) & BATCH_JOBS
    count = int(call.param("n")) if call.param("n").isdigit() else 0

    def lines() -> Iterator[bytes]:
        for number in itertools.count(1):
            final = number == count or all(job.ended for job in jobs)
            yield _metrics_line(call, jobs if batch_jobs else None, final=final)
            if final:
                return
            time.sleep(METRICS_INTERVAL_S)

    return Response(200, [("Content-Type", "application/json")], lines())


def _metrics_line(call: AdminCall, jobs: list[Job] | None, *, final: bool) -> bytes:
    aggregated: dict[str, Any] = {}
    if jobs is not None:
        states = {job.id: job.metric() for job in jobs}
        aggregated["batchJobs"] = {"collected": rfc3339(call.services.now()), "Jobs": states}
    host = call.services.deployment.endpoint
    return go_json({"hosts": [host], "aggregated": aggregated, "final": final}) + b"\n"


def cancel_job(call: AdminCall) -> Response:
    """Stop a job; an unknown one is no error."""
    call.services.jobs.cancel(_required(call, "id"))
    return Response(204)


def read_rotation(body: bytes) -> KeyRotation:
    """Read a job's YAML.

    Raises:
        S3Problem: not YAML, not a key rotation, or one with a wrong version or type.
    """
    document = _load(body)
    kind = next((name for name in KINDS if document.get(name) is not None), None)
    if kind is None:
        raise S3Problem.of("XMinioAdminInvalidArgument")
    if kind != "keyrotate":
        raise S3Problem.of("NotImplemented", f"the sandbox has no {kind} jobs")
    job = _mapping(document[kind], "BatchJobKeyRotateV1", 1)
    if job.get("apiVersion") != "v1" or not job.get("bucket"):
        raise S3Problem.of("XMinioAdminInvalidArgument")
    encryption = job.get("encryption")
    if not isinstance(encryption, dict) or encryption.get("type") not in {"sse-s3", "sse-kms"}:
        raise S3Problem.of("XMinioAdminInvalidArgument")
    prefix, key = job.get("prefix"), encryption.get("key")
    return KeyRotation(
        str(job["bucket"]), str(prefix or ""), str(encryption["type"]), str(key or "")
    )


def _load(body: bytes) -> dict[str, Any]:
    # libyaml words what is wrong as the real server does
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        document = yaml.load(body, loader)  # noqa: S506 - both loaders are the safe ones
    except yaml.YAMLError as e:
        mark = getattr(e, "problem_mark", None)
        line = max(mark.line, 1) if mark else 1
        raise internal(f"yaml: line {line}: {getattr(e, 'problem', 'not YAML')}") from e
    return _mapping(document, "BatchJobRequest", 1)


def _mapping(value: object, kind: str, line: int) -> dict[str, Any]:
    """Return ``value`` if it is a mapping, nothing for nothing, or word Go's refusal."""
    if value is None:
        return {}
    if isinstance(value, dict):
        return value
    text = str(value)
    short = text if len(text) <= 10 else f"{text[:7]}..."
    tag = {int: "!!int", float: "!!float", bool: "!!bool"}.get(type(value), "!!str")
    shown = "!!seq" if isinstance(value, list) else f"{tag} `{short}`"
    where = f"line {line}: cannot unmarshal {shown} into cmd.{kind}"
    raise internal(f"yaml: unmarshal errors:\n  {where}")


def _required(call: AdminCall, name: str) -> str:
    value = call.param(name)
    if not value:
        raise S3Problem.of("XMinioAdminInvalidArgument")
    return value


def _scalar(text: str) -> str:
    return yaml.safe_dump(text, default_flow_style=True).split("\n")[0] if text else '""'
