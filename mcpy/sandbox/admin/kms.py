"""The KMS through the server: status, keys, metrics; below ``/minio/kms/v1`` and the older paths.

Whatever the KMS refuses becomes 500 InternalError with the reason in parentheses, except for the
key status, which reports failures as data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcpy.sandbox.admin.call import answer_json
from mcpy.sandbox.admin.info import ZERO_TIME
from mcpy.sandbox.kms import KmsProblem
from mcpy.sandbox.kms.model import (
    KEY_EXISTS,
    KEY_NOT_FOUND,
    NOT_ALLOWED,
    NOT_AUTHENTIC,
    NOT_SUPPORTED,
)
from mcpy.sandbox.message import Response
from mcpy.sandbox.s3.errors import S3Problem, catalogue

if TYPE_CHECKING:
    from mcpy.sandbox.admin.call import AdminCall

PROBE_CONTEXT = {"MinIO admin API": "KMSKeyStatusHandler"}
_KNOWN = {
    KEY_NOT_FOUND: "kms:KeyNotFound",
    KEY_EXISTS: "kms:KeyAlreadyExists",
    NOT_ALLOWED: "kms:NotAuthorized",
    NOT_AUTHENTIC: "kms:InvalidCiphertextException",
    NOT_SUPPORTED: "kms:NotSupported",
}
_STATE = {
    "Version": "",
    "KeyStoreLatency": 0,
    "KeyStoreReachable": False,
    "KeystoreAvailable": False,
    "OS": "",
    "Arch": "",
    "UpTime": 0,
    "CPUs": 0,
    "UsableCPUs": 0,
    "HeapAlloc": 0,
    "StackAlloc": 0,
}


def reason(problem: KmsProblem, failed: str) -> str:
    """Word ``problem`` for an administrator; ``failed`` says what was tried."""
    if problem.message in _KNOWN:
        return catalogue()[_KNOWN[problem.message]].message
    return f"{failed}: {problem.message}"


def status(call: AdminCall) -> Response:
    """Answer name, default key and endpoints; 200 also while the KMS is down."""
    kms = call.kms()
    try:
        endpoints = kms.status()
    except KmsProblem as e:
        raise S3Problem.internal(reason(e, "status")) from e
    states = {name: "online" if online else "offline" for name, online in endpoints.items()}
    return answer_json(
        {
            "name": kms.name,
            "default-key-id": kms.default_key,
            "endpoints": states,
            "state": _STATE,
        }
    )


def version(call: AdminCall) -> Response:
    """Answer the version of the KMS."""
    kms = call.kms()
    try:
        return answer_json({"version": kms.version()})
    except KmsProblem as e:
        raise S3Problem.internal(e.message) from e


def apis(call: AdminCall) -> Response:
    """Answer what the KMS can do."""
    kms = call.kms()
    try:
        return answer_json(kms.apis())
    except KmsProblem as e:
        raise S3Problem.internal(reason(e, "failed to list KMS APIs")) from e


def metrics(call: AdminCall) -> Response:
    """Answer how many requests the server made of the KMS, and how long they took."""
    counted = call.kms().metrics.snapshot()
    latency = {str(bound): number for bound, number in counted.latency.items()}
    return answer_json(
        {
            "kms_req_success": counted.success,
            "kms_req_error": counted.error,
            "kms_req_failure": counted.failure,
            "kms_resp_time": dict(sorted(latency.items())),
        }
    )


def list_keys(call: AdminCall) -> Response:
    """Answer keys by prefix; only an empty pattern or ``*`` means all."""
    kms = call.kms()
    try:
        names = kms.keys(call.param("pattern"))
    except KmsProblem as e:
        raise S3Problem.internal(e.message) from e
    return answer_json([{"createdAt": ZERO_TIME, "createdBy": "", "name": name} for name in names])


def create_key(call: AdminCall) -> Response:
    """Create a key; answer nothing."""
    kms = call.kms()
    try:
        kms.create(call.param("key-id"))
    except KmsProblem as e:
        raise S3Problem.internal(reason(e, "failed to create KMS key")) from e
    return Response(200)


def key_status(call: AdminCall) -> Response:
    """Answer whether a data key can be made and opened again; failures are data, not errors."""
    kms = call.kms()
    key = call.param("key-id") or kms.default_key
    answer = {"key-id": key}
    try:
        made = kms.generate(key, PROBE_CONTEXT)
    except KmsProblem as e:
        failed = "failed to generate data key with KMS key"
        return answer_json(answer | {"encryption-error": reason(e, failed)})
    try:
        opened = kms.decrypt(key, made.ciphertext, PROBE_CONTEXT)
    except KmsProblem as e:
        failed = "failed to decrypt ciphertext with KMS key"
        return answer_json(answer | {"decryption-error": reason(e, failed)})
    if opened != made.plaintext:
        text = "The generated and the decrypted data key do not match"
        return answer_json(answer | {"decryption-error": text})
    return answer_json(answer)
