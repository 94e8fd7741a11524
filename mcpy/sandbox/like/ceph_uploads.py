"""Uploads as Ceph RGW takes them: what SSE headers and a bucket's default mean to each release."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mcpy.sandbox import envelope
from mcpy.sandbox.kms import KmsProblem
from mcpy.sandbox.like import acts, defaults
from mcpy.sandbox.like.base import own
from mcpy.sandbox.s3 import multipart, objects, sse

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcpy.sandbox.message import Response
    from mcpy.sandbox.s3.call import Call, Handler

NO_KEY = (
    "Server Side Encryption with KMS managed key requires HTTP header "
    "x-amz-server-side-encryption-aws-kms-key-id"
)
WRONG_MD5 = "The calculated MD5 hash of the key did not match the hash that was provided."


def _check_key(call: Call) -> None:
    try:
        sse.customer_key(call.headers)
    except sse.CustomerKeyError as e:
        raise own("InvalidArgument", 400, WRONG_MD5) from e


def _use_kms(call: Call, missing: Callable[[str], Exception]) -> None:
    """Encrypt with the KMS key that is named, bound to the object's ARN."""
    key = call.header(sse.KMS_KEY_ID)
    if call.header(sse.SSE) != "aws:kms" or not key:
        raise own("InvalidArgument", 400, NO_KEY)
    try:
        if call.kms is None:
            raise missing(key)
        call.kms.generate(key.removeprefix(envelope.ARN), {})
    except KmsProblem as e:
        raise missing(key) from e
    acts.bind(call, {"aws:s3:arn": f"arn:aws:s3::t:{call.bucket}/{call.key}"})


def seal_pacific(call: Call) -> None:
    """Make sense of SSE headers as 16.2 does: AES256 says nothing to it."""
    asked = acts.asked(call)
    if asked.customer:
        _check_key(call)
        acts.forget_sse(call)
    elif asked.algorithm == "AES256" or not asked.algorithm:
        acts.forget_sse(call)
    else:
        _use_kms(call, _no_key_pacific)


def _no_key_pacific(key: str) -> Exception:
    return own("InvalidAccessKeyId", 403, f"Failed to retrieve the actual key, kms-keyid: {key}")


def seal_reef(call: Call) -> None:
    """Make sense of SSE headers and the bucket's default as 18.2 does; SSE-S3 needs a Vault."""
    asked = acts.asked(call)
    if asked.customer and asked.algorithm:
        message = "Server side error - can't do sse-c & sse-kms|sse-s3"
        raise own("InvalidArgument", 400, message)
    if asked.customer:
        _check_key(call)
        return
    if not asked.algorithm:
        rules = defaults.find(call) or []
        if not rules or not rules[0].algorithm:
            acts.forget_sse(call)
            return
        acts.ask(call, rules[0].algorithm, rules[0].key or "")
        asked = replace(acts.asked(call), key="")
    if asked.algorithm == "AES256" and asked.key:
        message = "algorithm <AES256> but got sse-kms attributes"
        raise own("InvalidArgument", 400, message)
    if asked.algorithm == "AES256":
        raise own("InvalidArgument", 400)
    _use_kms(call, _no_key_reef)


def _no_key_reef(key: str) -> Exception:
    return own("InvalidArgument", 400, f"Failed to retrieve the actual key, kms-keyid: {key}")


def uploads(seal: Callable[[Call], None]) -> dict[Handler, Handler]:
    """Return handlers of uploads that make sense of SSE headers by ``seal``."""

    def put(call: Call) -> Response:
        call.store.bucket(call.bucket)
        seal(call)
        return acts.bare_key_id(objects.put_object(call))

    def create(call: Call) -> Response:
        call.store.bucket(call.bucket)
        seal(call)
        acts.forget(call, "x-amz-tagging")
        response = multipart.create_upload(call)
        response.headers += _told(call)
        return response

    def part(call: Call) -> Response:
        return acts.without(acts.bare_key_id(multipart.put_part(call)), sse.CONTEXT)

    return {objects.put_object: put, multipart.create_upload: create, multipart.put_part: part}


def _told(call: Call) -> list[tuple[str, str]]:
    names = [*acts.SERVER_HEADERS, sse.CUSTOMER + "algorithm", sse.CUSTOMER + "key-md5"]
    return [(name, call.header(name)) for name in names if call.header(name)]
