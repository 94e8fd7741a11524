"""RustFS before 1.0.0-rc.1: a copy onto itself that changes the encryption destroys the object.

Not measured: taken from rustfs/rustfs#5618 (copies), #4238 (copies without REPLACE), #7511 (SSE-C
and AES256 against a default), rustfs/cli#235 (admin API) and docs.rustfs.com.
"""

from __future__ import annotations

import json
import string
from typing import TYPE_CHECKING, ClassVar

from mcpy.sandbox import envelope
from mcpy.sandbox.kms import KmsProblem
from mcpy.sandbox.like import acts, defaults
from mcpy.sandbox.like.base import Foreign, own
from mcpy.sandbox.like.moto import delete_default, get_default
from mcpy.sandbox.message import Response
from mcpy.sandbox.s3 import copying, entity, multipart, objects, reading, settings, sse
from mcpy.sandbox.s3.errors import S3Problem

if TYPE_CHECKING:
    from mcpy.sandbox.like.base import Handlers
    from mcpy.sandbox.message import Request
    from mcpy.sandbox.s3.call import Call

ADMIN_BUCKET = "rustfs"
VERSION = "1.0.0-beta.8"


def seal(call: Call) -> None:
    """Make sense of SSE headers and the bucket's default; the KMS is asked only now."""
    asked = acts.asked(call)
    rules = defaults.find(call) or []
    default = rules[0].algorithm if rules else ""
    if rules and (asked.customer or (asked.algorithm == "AES256" and default == "aws:kms")):
        message = "The encryption parameters contradict the bucket's default encryption"
        raise own("InvalidArgument", 400, message)
    if asked.customer:
        return
    algorithm, key = asked.algorithm, asked.key
    if not algorithm and rules:
        algorithm, key = default or "", rules[0].key or ""
    if not algorithm:
        return
    if call.kms is None:
        raise _kms_down("KMS is not configured")
    try:
        call.kms.generate(key.removeprefix(envelope.ARN) or call.kms.default_key, {})
    except KmsProblem as e:
        raise _kms_down(e.message) from e
    context = call.header(sse.CONTEXT)
    acts.ask(call, algorithm, key)
    if context and algorithm == "aws:kms":
        call.headers[sse.CONTEXT] = context


def _kms_down(why: str) -> S3Problem:
    return own("InternalError", 500, f"KMS error: {why}")


def put(call: Call) -> Response:
    """Store an object."""
    seal(call)
    return acts.bare_key_id(objects.put_object(call))


def create(call: Call) -> Response:
    """Start an upload."""
    seal(call)
    return multipart.create_upload(call)


def copy(call: Call) -> Response:
    """Copy; onto itself, without versions, new keys are put beside the old bytes.

    An object that was plaintext or had other keys cannot be decrypted any more; one that was
    encrypted and is asked to be plaintext is answered as the ciphertext it is. Both with 200.
    """
    status = entity.versioning(call.store.bucket(call.bucket))
    source = acts.source_version(call)
    bare = acts.onto_itself(call)
    if bare and source is not None and not acts.replaces(call):
        message = "Cannot copy an object to itself. Source and destination must be different."
        raise own("InvalidRequest", 400, message)
    seal(call)
    kind = envelope.kind_of(source.metadata) if source is not None else None
    if bare and status != "Enabled" and (kind or sse.requested(call.headers)):
        acts.amend(call, lambda _: None, destroys=True)
    acts.keep_expires(call)
    return copying.copy_object(call)


def get(call: Call) -> Response:
    """Answer an object, or the admin API, which has a prefix of its own."""
    if call.bucket == ADMIN_BUCKET and call.key.startswith("admin/v3/"):
        if call.key != "admin/v3/info":
            raise own("NotImplemented", 501, "not part of the sandbox")
        return _info(call)
    return acts.bare_key_id(reading.get_object(call))


def _info(call: Call) -> Response:
    document = {
        "mode": "online",
        "region": "",
        "buckets": {"count": len(call.store.buckets())},
        "backend": {"backendType": "Erasure", "onlineDisks": 1, "offlineDisks": 0},
        "servers": [
            {"state": "online", "endpoint": call.header("host"), "version": VERSION},
        ],
    }
    headers = [("Content-Type", "application/json")]
    return Response(200, headers, json.dumps(document).encode())


def head(call: Call) -> Response:
    """Answer an object's headers."""
    return acts.bare_key_id(reading.head_object(call))


def put_default(call: Call) -> Response:
    """Keep a default; whether the KMS can serve it is not asked."""
    call.store.bucket(call.bucket)
    rules = defaults.parse(call)
    if len(rules) != 1 or rules[0].algorithm not in {"AES256", "aws:kms"}:
        raise S3Problem.of("MalformedXML")
    defaults.keep(call, rules)
    return Response(200)


class RustFs(Foreign):
    """RustFS 1.0.0 while it was in beta."""

    name = "rustfs"
    kms_key = "rustfs-master-key"
    takes_keys_in_clear = False
    server = "RustFS"
    owner = ("rustfs", "rustfs")
    handlers: ClassVar[Handlers] = {
        objects.put_object: put,
        copying.copy_object: copy,
        multipart.create_upload: create,
        reading.get_object: get,
        reading.head_object: head,
        settings.get_encryption: get_default,
        settings.put_encryption: put_default,
        settings.delete_encryption: delete_default,
    }

    def shortcut(self, request: Request) -> Response | None:
        """Answer health checks, MinIO's among them."""
        paths = {"/health", "/health/live", "/health/ready", "/minio/health/live"}
        return Response(200) if request.path in paths else None

    def ids(self) -> tuple[str, str]:
        """Return 16 letters and digits, and no id of the host."""
        return acts.random_id(string.ascii_uppercase + string.digits, 16), ""
