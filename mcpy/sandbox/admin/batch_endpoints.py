"""Batch jobs over the admin API: plain YAML in, JSON out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from mcpy.sandbox.admin.batch import KINDS, KeyRotation, internal
from mcpy.sandbox.admin.call import TEXT, answer_json
from mcpy.sandbox.s3.errors import S3Problem
from mcpy.sandbox.wsgi import Response

if TYPE_CHECKING:
    from mcpy.sandbox.admin.batch import Job
    from mcpy.sandbox.admin.call import AdminCall

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
    """Answer running jobs, null when there are none."""
    jobs = call.services.jobs.running(call.param("jobType"))
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
    rotation = call.services.jobs.find(_required(call, "jobId")).rotation
    text = _DESCRIBED.format(
        bucket=_scalar(rotation.bucket),
        prefix=_scalar(rotation.prefix),
        kind=rotation.kind,
        key=_scalar(rotation.key),
    )
    return Response(200, [("Content-Type", TEXT)], text.encode())


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
    job = document[kind]
    if not isinstance(job, dict) or job.get("apiVersion") != "v1" or not job.get("bucket"):
        raise S3Problem.of("XMinioAdminInvalidArgument")
    encryption = job.get("encryption")
    if not isinstance(encryption, dict) or encryption.get("type") not in {"sse-s3", "sse-kms"}:
        raise S3Problem.of("XMinioAdminInvalidArgument")
    prefix, key = job.get("prefix"), encryption.get("key")
    return KeyRotation(
        str(job["bucket"]), str(prefix or ""), str(encryption["type"]), str(key or "")
    )


def _load(body: bytes) -> dict[str, Any]:
    try:
        document = yaml.safe_load(body)
    except yaml.YAMLError as e:
        mark = getattr(e, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        raise internal(f"yaml: line {line}: {getattr(e, 'problem', 'not YAML')}") from e
    if document is None:
        return {}
    if not isinstance(document, dict):
        text = body.decode("utf-8", "replace").strip()
        raise internal(
            "yaml: unmarshal errors:\n"
            f"  line 1: cannot unmarshal !!str `{text}` into cmd.BatchJobRequest"
        )
    return document


def _required(call: AdminCall, name: str) -> str:
    value = call.param(name)
    if not value:
        raise S3Problem.of("XMinioAdminInvalidArgument")
    return value


def _scalar(text: str) -> str:
    return yaml.safe_dump(text, default_flow_style=True).split("\n")[0] if text else '""'
