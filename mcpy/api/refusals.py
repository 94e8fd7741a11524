"""Reads a refusal whatever its form: XML, JSON, the headers of a HEAD, or somebody's web page."""

from __future__ import annotations

import shlex
from http import HTTPStatus
from typing import TYPE_CHECKING

from mcpy.errors import ApiError, ExitCode, KesError, S3Error
from mcpy.jsontext import loads
from mcpy.models import BY_CALL

if TYPE_CHECKING:
    from collections.abc import Callable
    from xml.etree import ElementTree as ET

    from mcpy.api.http import Answer
    from mcpy.models import Alias


def s3_refusal(answer: Answer) -> ApiError:
    """Return what S3, or MinIO's admin and KMS API, refused with."""
    fields = _fields(answer)
    code = fields.pop("Code", "")
    message = fields.pop("Message", "")
    fields.setdefault("Server", answer.headers.get("server", ""))
    if not code:
        return S3Error(answer.status, "", _without_document(answer), fields=fields)
    return S3Error(answer.status, code, message, fields=fields)


def s3_refusal_of(alias: Alias) -> Callable[[Answer], ApiError]:
    """Return ``s3_refusal`` for the server of an alias: it knows whose key is wrong, and hints."""

    def refusal(answer: Answer) -> ApiError:
        error = s3_refusal(answer)
        if error.kms_silent:
            error.hint = _doctor_of(alias, answer.method, error)
        if error.api_code == "InvalidAccessKeyId":
            error.hint = _set_again(alias, "ACCESSKEY SECRETKEY")
        wrong = error.api_code == "SignatureDoesNotMatch"
        return WrongSecretError(error, alias) if wrong else error

    return refusal


def admin_refusal_of(alias: Alias) -> Callable[[Answer], ApiError]:
    """Return ``s3_refusal_of`` for MinIO's own endpoints: others take them for a bucket."""
    refuse = s3_refusal_of(alias)

    def refusal(answer: Answer) -> ApiError:
        error = refuse(answer)
        is_xml = answer.body.lstrip().startswith(b"<")  # MinIO's handlers answer JSON
        if is_xml and error.status == 404 and error.api_code in {"NoSuchBucket", "NoSuchKey"}:
            return NotMinioError(error, alias)
        return error

    return refusal


class NotMinioError(S3Error):
    """An S3 server without MinIO's admin and KMS API."""

    code = ExitCode.UNSUPPORTED

    def __init__(self, error: ApiError, alias: Alias) -> None:
        self._alias = alias.name
        super().__init__(error.status, error.api_code, error.server_message, fields=error.fields)

    def _line(self) -> str:
        return f"`{self._alias}` is no MinIO: it has no admin API"


class WrongSecretError(S3Error):
    """The server has another secret key for the access key of an alias."""

    def __init__(self, error: ApiError, alias: Alias) -> None:
        by_call = alias.source == BY_CALL
        self._whose = alias.url if by_call else f"alias `{alias.name}`"
        super().__init__(
            error.status,
            error.api_code,
            error.server_message,
            fields=error.fields,
            hint=_set_again(alias, alias.access_key),
        )

    def _line(self) -> str:
        return f"{self.api_code}: the secret key of {self._whose} is wrong"


def _doctor_of(alias: Alias, method: str, error: ApiError) -> str:
    """Return what finds out why the KMS did not serve what was asked for."""
    key = error.fields.get("Key") if method in {"GET", "HEAD"} else ""  # else it may not be there
    places = (alias.name, error.fields.get("BucketName"), key)
    return f"mcpy doctor {shlex.quote('/'.join(filter(None, places)))}"


def _set_again(alias: Alias, keys: str) -> str:
    """Return how to give an alias other keys: one of the environment is not in the store."""
    if alias.source.startswith(("MC_HOST_", "MCPY_HOST_")):
        return f"correct the variable {alias.source}"
    if alias.source == BY_CALL:
        return f"give {BY_CALL} other keys"
    return f"mcpy alias set {alias.name} {alias.url} {keys}"


def kes_refusal(answer: Answer) -> ApiError:
    """Return what KES refused with; it calls its text ``message``, older ones ``error``."""
    found = _json_fields(answer.body)
    message = found.get("message") or found.get("error")
    return KesError(answer.status, message or _without_document(answer))


def _fields(answer: Answer) -> dict[str, str]:
    if answer.method == "HEAD":
        return {
            "Code": answer.headers.get("x-minio-error-code", ""),
            "Message": answer.headers.get("x-minio-error-desc", "").strip('"'),
            "RequestId": answer.headers.get("x-amz-request-id", ""),
        }
    body = answer.body.lstrip()
    return _json_fields(body) if body.startswith(b"{") else _xml_fields(body)


def _json_fields(body: bytes) -> dict[str, str]:
    try:
        found = loads(body)
    except ValueError:
        return {}
    return {k: str(v) for k, v in found.items()} if isinstance(found, dict) else {}


def _xml_fields(body: bytes) -> dict[str, str]:
    from xml.etree import ElementTree as ET

    try:
        root = ET.fromstring(body)  # noqa: S314 - expat bounds entities, the client the size
    except ET.ParseError:
        return {}
    if local_name(root) != "Error":
        return {}
    return {local_name(child): child.text or "" for child in root}


def _without_document(answer: Answer) -> str:
    """Say what the status alone says: a proxy's page is not for the terminal."""
    try:
        phrase = HTTPStatus(answer.status).phrase.lower()
    except ValueError:
        phrase = "no such HTTP status"
    what = answer.headers.get("content-type", "").partition(";")[0]
    page = f", with a page of type {what}" if answer.body and what else ""
    return f"HTTP {answer.status} {phrase}{page}"


def local_name(element: ET.Element) -> str:
    """Return an element's name without its namespace."""
    return element.tag.rpartition("}")[2]
