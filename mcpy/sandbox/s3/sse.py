"""Server-side encryption as requests ask for it and answers tell of it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mcpy.sandbox import envelope
from mcpy.sandbox.kms import KmsProblem
from mcpy.sandbox.s3.errors import S3Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcpy.sandbox.envelope import Kind, ObjectKey
    from mcpy.sandbox.kms import Kms
    from mcpy.sandbox.s3.call import Call, Headers
    from mcpy.sandbox.store import Bucket, ObjectVersion

SSE = "x-amz-server-side-encryption"
KMS_KEY_ID = f"{SSE}-aws-kms-key-id"
CONTEXT = f"{SSE}-context"
CUSTOMER = f"{SSE}-customer-"
SEALED_ENTRIES = tuple(envelope.SEALED_KEY.values())
COPY_CUSTOMER = "x-amz-copy-source-server-side-encryption-customer-"

# what is wrong with SSE-C headers: the words of an upload, the catalogue's error of a download
CUSTOMER_PROBLEMS = {
    "algorithm": ("The SSE-C algorithm is not supported", "InvalidSseCustomerAlgorithm"),
    "key": ("The SSE-C request is missing the customer key", "MissingSseCustomerKey"),
    "key-md5": ("The SSE-C request is missing the customer key MD5", "MissingSseCustomerKeyMd5"),
    "bad-key": ("The SSE-C client key is invalid", "AccessDenied"),
    "bad-md5": (
        "The provided SSE-C key MD5 does not match the computed MD5 of the SSE-C key",
        "SseCustomerKeyMd5Mismatch",
    ),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """The encryption a new object is to have; ``kind`` None is plaintext."""

    kind: Kind | None = None
    kms_key: str = ""
    context: Mapping[str, str] = field(default_factory=dict)
    client_key: bytes = field(default=b"", repr=False)

    def new_key(
        self, kms: Kms | None, bucket: str, key: str
    ) -> tuple[ObjectKey | None, dict[str, str]]:
        """Return the object's key and the metadata that keeps it, None and nothing if plaintext.

        Raises:
            S3Problem: there is no KMS, or it did not make a data key.
        """
        if self.kind is None:
            return None, {}
        if self.kind == "SSE-C":
            return envelope.with_client_key(self.client_key, bucket, key)
        try:
            return envelope.with_kms(
                kms, self.kind, bucket, key, key=self.kms_key, context=self.context
            )
        except envelope.NoKmsError as e:
            reason = "KMS not configured for a server side encrypted objects"
            raise S3Problem.of("KmsNotConfigured", reason) from e
        except KmsProblem as e:
            raise generation_problem(e) from e


def generation_problem(problem: KmsProblem) -> S3Problem:
    """Return what a client hears when the KMS makes no data key."""
    names = {404: "kms:KeyNotFound", 403: "kms:NotAuthorized"}
    return S3Problem.of(names.get(problem.status, "kms:KeyGenerationFailed"))


def decryption_problem(problem: KmsProblem) -> S3Problem:
    """Return what a client hears when the KMS does not open a data key."""
    names = {
        404: "kms:KeyNotFound",
        403: "kms:NotAuthorized",
        400: "kms:InvalidCiphertextException",
    }
    return S3Problem.of(names.get(problem.status, "kms:DecryptionFailed"))


def customer_requested(headers: Mapping[str, str], prefix: str = CUSTOMER) -> bool:
    """Tell whether any SSE-C header was sent."""
    return any(prefix + part in headers for part in ("algorithm", "key", "key-md5"))


def kms_requested(headers: Mapping[str, str]) -> bool:
    """Tell whether SSE-KMS was asked for, even if by a header that fits nothing else."""
    if KMS_KEY_ID in headers or CONTEXT in headers:
        return True
    return SSE in headers and headers[SSE].upper() != "AES256"


def s3_requested(headers: Mapping[str, str]) -> bool:
    """Tell whether SSE-S3 was asked for."""
    return SSE in headers and headers[SSE].lower() != "aws:kms"


def requested(headers: Mapping[str, str]) -> bool:
    """Tell whether any encryption was asked for."""
    return kms_requested(headers) or s3_requested(headers) or customer_requested(headers)


def wanted(call: Call, *, multipart: bool = False) -> Wanted:
    """Return the encryption for a new object: as the headers say, else the bucket's default.

    Raises:
        S3Problem: the headers contradict each other or are malformed.
        NoBucketError: the bucket does not exist and nothing else was wrong.
    """
    headers: Mapping[str, str] = call.headers
    if not requested(headers):
        headers = _with_default(headers, call.store.bucket(call.bucket), auto=call.auto_encrypt)
        if headers is call.headers:
            return Wanted()
    if kms_requested(headers):
        found = _wanted_kms(call.path, headers)
    elif customer_requested(headers):
        try:
            found = Wanted("SSE-C", client_key=customer_key(headers))
        except CustomerKeyError as e:
            raise S3Problem.invalid_argument(call.path, e.reason) from e
    else:
        found = Wanted("SSE-S3")
    if (
        customer_requested(headers, COPY_CUSTOMER)
        and not multipart
        and not call.header("x-amz-copy-source")
    ):
        raise S3Problem.of("InvalidEncryptionParameters")
    if customer_requested(headers) and SSE in headers:
        raise S3Problem.of("IncompatibleEncryptionMethod")
    return found


class CustomerKeyError(Exception):
    """SSE-C headers that are incomplete or wrong.

    Attributes:
        reason: the text an upload answers.
        name: the catalogue's error a download answers.
    """

    def __init__(self, what: str) -> None:
        self.reason, self.name = CUSTOMER_PROBLEMS[what]
        super().__init__(self.reason)


def customer_key(headers: Mapping[str, str], prefix: str = CUSTOMER) -> bytes:
    """Return the client's key (32 bytes) from SSE-C headers.

    Raises:
        CustomerKeyError: they are incomplete, or the key is not the one its MD5 says.
    """
    if headers.get(prefix + "algorithm", "") != "AES256":
        raise CustomerKeyError("algorithm")
    for part in ("key", "key-md5"):
        if not headers.get(prefix + part, ""):
            raise CustomerKeyError(part)
    key = _decode(headers[prefix + "key"])
    if len(key) != 32:
        raise CustomerKeyError("bad-key")
    md5 = hashlib.md5(key, usedforsecurity=False).digest()
    if _decode(headers[prefix + "key-md5"]) != md5:
        raise CustomerKeyError("bad-md5")
    return key


def answer_headers(metadata: Mapping[str, str], headers: Mapping[str, str]) -> Headers:
    """Return the headers that tell how an object is encrypted; ``headers`` are the request's."""
    kind = envelope.kind_of(metadata)
    if kind is None:
        return []
    if kind == "SSE-S3":
        return [("X-Amz-Server-Side-Encryption", "AES256")]
    if kind == "SSE-C":
        return [
            ("X-Amz-Server-Side-Encryption-Customer-" + name, headers.get(CUSTOMER + part, ""))
            for name, part in (("Algorithm", "algorithm"), ("Key-Md5", "key-md5"))
        ]
    answer = [
        ("X-Amz-Server-Side-Encryption", "aws:kms"),
        ("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id", envelope.ARN + metadata[envelope.KMS_KEY]),
    ]
    if envelope.CONTEXT in metadata:
        answer.append(("X-Amz-Server-Side-Encryption-Context", metadata[envelope.CONTEXT]))
    return answer


def object_key(
    call: Call, version: ObjectVersion, *, bucket: str = "", prefix: str = CUSTOMER
) -> ObjectKey:
    """Return the key of an encrypted object; ``prefix`` says which SSE-C headers hold its key.

    Raises:
        S3Problem: the client's key is missing or wrong, or the KMS does not help.
    """
    client_key = None
    bucket = bucket or call.bucket
    try:
        if envelope.kind_of(version.metadata) == "SSE-C":
            client_key = customer_key(call.headers, prefix)
        return envelope.object_key(
            version.metadata, call.kms, bucket, version.key, client_key=client_key
        )
    except CustomerKeyError as e:
        raise S3Problem.of(e.name) from e
    except KmsProblem as e:
        raise decryption_problem(e) from e
    except envelope.WrongKeyError as e:
        raise S3Problem.of("AccessDenied") from e
    except envelope.NoKmsError as e:
        raise S3Problem("XMinioEncryptionError", 400, "KMS not configured") from e


def bucket_default(bucket: Bucket) -> tuple[str, str] | None:
    """Return algorithm and key of the bucket's default encryption; the algorithm may be empty."""
    rule = bucket.config.get("encryption")
    if rule is None:
        return None
    algorithm, _, key = rule.partition(" ")
    return algorithm, key


def _with_default(headers: Mapping[str, str], bucket: Bucket, *, auto: bool) -> Mapping[str, str]:
    default = bucket_default(bucket)
    if default is None:
        return {**headers, SSE: "aws:kms"} if auto else headers
    algorithm, key = default
    if algorithm == "AES256":
        return {**headers, SSE: "AES256"}
    if algorithm == "aws:kms":
        return {**headers, SSE: "aws:kms", KMS_KEY_ID: key}
    return headers


def _wanted_kms(path: str, headers: Mapping[str, str]) -> Wanted:
    if headers.get(SSE, "") != "aws:kms":
        raise S3Problem.invalid_argument(path, "The encryption method is not supported")
    context = _context(path, headers[CONTEXT]) if CONTEXT in headers else {}
    key = headers.get(KMS_KEY_ID, "")
    if key != key.strip(" "):
        raise S3Problem.invalid_argument(path, "KMS KeyID contains unsupported characters")
    return Wanted("SSE-KMS", key.removeprefix(envelope.ARN), context)


def _context(path: str, text: str) -> dict[str, str]:
    try:
        raw = base64.b64decode(text, validate=True)
    except binascii.Error as e:
        bad = re.search(r"[^A-Za-z0-9+/]", text)
        at = bad.start() if bad else len(text)
        reason = f"illegal base64 data at input byte {at}"
        raise S3Problem.invalid_argument(path, reason) from e
    try:
        context = json.loads(raw)
    except ValueError as e:
        raise S3Problem.invalid_argument(path, f"invalid context: {e}") from e
    if context is None:
        return {}
    if not isinstance(context, dict) or not all(isinstance(v, str) for v in context.values()):
        raise S3Problem.invalid_argument(path, "the context is not a map of strings")
    return context


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""


def listed_headers(metadata: Mapping[str, str]) -> Headers:
    """Return how a listing with metadata tells of an object's encryption."""
    if envelope.kind_of(metadata) == "SSE-C":
        return [("X-Amz-Server-Side-Encryption-Customer-Algorithm", "AES256")]
    return answer_headers(metadata, {})


def key_if_any(call: Call, version: ObjectVersion) -> tuple[ObjectKey | None, S3Problem | None]:
    """Return the object's key if it takes none from the client, or why there is none."""
    if envelope.kind_of(version.metadata) in {None, "SSE-C"}:
        return None, None
    try:
        return object_key(call, version), None
    except S3Problem as e:
        return None, e
