"""Health checks: no signature needed, and none of them notices that the server is frozen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcpy.sandbox.kms import KmsProblem
from mcpy.sandbox.message import Response
from mcpy.sandbox.s3.errors import S3Problem
from mcpy.sandbox.s3.sse import decryption_problem, generation_problem

if TYPE_CHECKING:
    from mcpy.sandbox.kms import Kms
    from mcpy.sandbox.message import Request

CONTEXT = {"healthcheck": ""}
_DEFAULTS = ("X-Minio-Storage-Class-Defaults", "false")


def check(request: Request, kms: Kms | None) -> Response:
    """Answer live, ready, cluster and cluster/read; only ``ready`` asks the KMS.

    Raises:
        S3Problem: the KMS does not work, or there is no such check.
    """
    name = request.path.removeprefix("/minio/health/")
    if name not in {"live", "ready", "cluster", "cluster/read"}:
        problem = S3Problem.of("NoSuchBucket")  # a path like any other to the real server
        problem.about = ("minio", f"health/{name}")
        raise problem
    if request.method not in {"GET", "HEAD"}:
        raise S3Problem.of("UnsupportedCall", method=request.method, path=request.path)
    if name == "ready" and kms is not None:
        _round_trip(kms)
    if name == "cluster":
        return Response(200, [_DEFAULTS, ("X-Minio-Write-Quorum", "1")])
    if name == "cluster/read":
        return Response(200, [("X-Minio-Read-Quorum", "1"), _DEFAULTS])
    return Response(200)


def _round_trip(kms: Kms) -> None:
    try:
        made = kms.generate(kms.default_key, CONTEXT)
    except KmsProblem as e:
        raise _unrouted(generation_problem(e)) from e
    try:
        kms.decrypt(kms.default_key, made.ciphertext, CONTEXT)
    except KmsProblem as e:
        raise _unrouted(decryption_problem(e)) from e


def _unrouted(problem: S3Problem) -> S3Problem:
    problem.routed = False
    return problem
