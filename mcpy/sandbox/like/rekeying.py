"""Amazon's UpdateObjectEncryption: another KMS key for an object whose bytes stay."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from mcpy.sandbox import envelope
from mcpy.sandbox.kms import KmsProblem
from mcpy.sandbox.like.base import own
from mcpy.sandbox.message import Response
from mcpy.sandbox.s3 import entity, sse
from mcpy.sandbox.s3.errors import S3Problem

if TYPE_CHECKING:
    from mcpy.sandbox.s3.call import Call
    from mcpy.sandbox.store import ObjectVersion

LAYERS = "X-Minio-Internal-Like-Layers"


def bare(key: str) -> str:
    """Return the name of a key that is named by its ARN, or by its name."""
    return key.rpartition("/")[2].removeprefix(envelope.ARN)


def usable_key(call: Call, key: str) -> str:
    """Return the name of a KMS key, the managed one if ``key`` is empty, proven to be there.

    Raises:
        S3Problem: it is not.
    """
    if call.kms is None:
        raise own("ServiceUnavailable", 503, "KMS is not reachable")
    name = bare(key) or call.kms.default_key
    try:
        call.kms.generate(name, {})
    except KmsProblem as e:
        if e.status in {400, 404}:
            message = f"Key '{key}' does not exist"
            raise own("KMS.NotFoundException", 400, message) from e
        raise own("KMSInternalException", 500, "KMS did not answer") from e
    return name


def update(call: Call) -> Response:
    """Seal the object key under another KMS key; ETag, time and content stay.

    Raises:
        S3Problem: it is not SSE-S3 or SSE-KMS, or the key is no KMS key's ARN.
    """
    tree = call.document("ObjectEncryption").first("SSE-KMS")
    arn = (tree.value("KMSKeyArn") if tree is not None else None) or ""
    if not arn.startswith("arn:") or ":key/" not in arn:
        raise own("InvalidRequest", 400, "A KMS key ARN is required")
    version = entity.requested_version(call)
    kind = envelope.kind_of(version.metadata)
    if kind not in {"SSE-S3", "SSE-KMS"} or LAYERS in version.metadata:
        message = "The object's encryption type is not supported by this operation"
        raise own("InvalidRequest", 400, message)
    name = usable_key(call, arn)
    oek = sse.object_key(call, version)

    def change(old: ObjectVersion) -> ObjectVersion:
        if old.metadata != version.metadata:
            raise S3Problem.of("OperationAborted")
        return old.copy(metadata=_resealed(call, old, oek, name), etag=_plain_etag(old, oek))

    call.store.update(call.bucket, call.key, version.version_id, change)
    return Response(200)


def _resealed(
    call: Call, old: ObjectVersion, oek: envelope.ObjectKey, name: str
) -> dict[str, str]:
    if call.kms is None:
        raise S3Problem.of("KmsNotConfigured")
    dropped = {*envelope.ENVELOPE_ENTRIES, envelope.CONTEXT} - {envelope.MULTIPART}
    metadata = {k: v for k, v in old.metadata.items() if k not in dropped}
    try:
        dek = call.kms.generate(name, envelope.kms_context({}, call.bucket, call.key))
    except KmsProblem as e:
        raise own("KMSInternalException", 500, "KMS did not answer") from e
    sealed = base64.b64encode(dek.ciphertext).decode()
    metadata |= envelope.reseal(oek, dek.plaintext, "SSE-KMS", call.bucket, call.key)
    return metadata | {envelope.KMS_KEY: name, envelope.KMS_SEALED_DEK: sealed}


def _plain_etag(old: ObjectVersion, oek: envelope.ObjectKey) -> str:
    # the ETag of SSE-S3 is sealed and opened, that of SSE-KMS shown as it lies there
    if envelope.kind_of(old.metadata) != "SSE-S3":
        return old.etag
    return oek.open_etag(old.etag)
