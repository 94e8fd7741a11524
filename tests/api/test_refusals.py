"""A refusal is read whatever its form, and a web page is never shown."""

from __future__ import annotations

import httpx
import pytest

from mcpy.api.http import Answer
from mcpy.api.refusals import kes_refusal, s3_refusal, s3_refusal_of
from mcpy.errors import exit_code
from mcpy.models import Alias

PAGE = b"<html><body><h1>Forbidden</h1></body></html>"


def answer(status: int, body: bytes = b"", method: str = "GET", **headers: str) -> Answer:
    return Answer(method, status, httpx.Headers(headers), body)


def test_an_xml_error_has_code_message_and_fields() -> None:
    error = s3_refusal(
        answer(
            404,
            b'<?xml version="1.0"?>\n<Error><Code>NoSuchBucket</Code><Message>gone.</Message>'
            b"<BucketName>b</BucketName><RequestId>r</RequestId></Error>",
        )
    )
    assert (error.api_code, error.server_message) == ("NoSuchBucket", "gone.")
    assert error.cause()["error"]["BucketName"] == "b"
    assert error.cause()["error"]["RequestID"] == "r"


def test_a_kms_that_does_not_serve_is_what_the_doctor_is_for() -> None:
    fields = "<BucketName>b</BucketName><Key>a b</Key>"
    body = f"<Error><Code>kms:DecryptionFailed</Code><Message>no</Message>{fields}</Error>"
    error = s3_refusal_of(Alias("play", "http://s3.test"))(answer(500, body.encode()))
    assert (exit_code(error), error.hint) == (6, "mcpy doctor 'play/b/a b'")
    upload = s3_refusal_of(Alias("play", "http://s3.test"))(answer(500, body.encode(), "PUT"))
    assert upload.hint == "mcpy doctor play/b"


def test_a_namespace_does_not_hide_an_error() -> None:
    body = b'<Error xmlns="http://s3.amazonaws.com/doc/"><Code>Odd</Code></Error>'
    assert s3_refusal(answer(400, body)).api_code == "Odd"


def test_json_that_is_nested_too_deeply_is_a_refusal_without_a_reason() -> None:
    assert s3_refusal(answer(500, b'{"a":' + b"[" * 200_000)).api_code == ""


def test_a_json_error_is_read_as_one_of_xml() -> None:
    body = b'{"Code":"AccessDenied","Message":"Access Denied.","Region":"eu"}\n'
    error = s3_refusal(answer(403, body))
    assert (error.api_code, error.fields["Region"]) == ("AccessDenied", "eu")
    assert exit_code(error) == 4


def test_the_headers_of_a_head_are_an_error_too() -> None:
    headers = {"x-minio-error-code": "NoSuchKey", "x-minio-error-desc": '"no such key"'}
    error = s3_refusal(Answer("HEAD", 404, httpx.Headers(headers), b""))
    assert (error.api_code, error.server_message) == ("NoSuchKey", "no such key")


@pytest.mark.parametrize(
    "body", [PAGE, b"", b"nonsense", b"{", b"[]", b'"text"', b"<Error", b"\xff\xfe", b"<a/>"]
)
@pytest.mark.parametrize("read", [s3_refusal, kes_refusal])
def test_what_is_no_error_document_is_told_by_its_status(read: object, body: bytes) -> None:
    assert callable(read)
    error = read(answer(403, body, **{"content-type": "text/html; charset=utf-8"}))
    assert "HTTP 403 forbidden" in str(error)
    assert "<" not in str(error)
    assert exit_code(error) == 4


def test_a_status_nobody_defined_is_told_too() -> None:
    assert "no such HTTP status" in str(s3_refusal(answer(599)))


@pytest.mark.parametrize("name", ["message", "error"])
def test_kes_calls_its_text_by_two_names(name: str) -> None:
    error = kes_refusal(answer(404, f'{{"{name}":"key does not exist"\n}}'.encode()))
    assert str(error) == "key does not exist"


def test_an_entity_bomb_is_not_expanded() -> None:
    lines = [f'<!ENTITY e{i} "{f"&e{i - 1};" * 10 if i else "x" * 10}">' for i in range(9)]
    body = f"<!DOCTYPE e [{''.join(lines)}]><Error><Code>&e8;</Code></Error>".encode()
    error = s3_refusal(answer(400, body))
    assert len(str(error)) < 200
