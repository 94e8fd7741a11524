"""The error catalogue and its rendering, against answers recorded from a MinIO server."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from mcpy.sandbox.message import Request, empty_body
from mcpy.sandbox.s3.errors import S3Problem, catalogue, go_json, render
from mcpy.sandbox.s3.xml import XmlProblem, document, element, parse, url_encode

RECORDED = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data/admin/errors.jsonl").read_text().splitlines()
]


def request(method: str = "GET", path: str = "/bucket/key") -> Request:
    return Request(method, path, "", {}, empty_body(), None)


@pytest.mark.parametrize("record", RECORDED, ids=lambda record: str(record["name"]))
def test_an_error_is_rendered_byte_for_byte_as_recorded(record: dict[str, Any]) -> None:
    answer = record["response"]
    body = answer["body"]
    form = "json" if body.startswith("{") else "xml"
    fields = json.loads(body) if form == "json" else _elements(body)
    known = {code_message(entry.code, entry.message): name for name, entry in catalogue().items()}
    text = fields["Message"]
    bare, _, detail = text.partition(" (")
    if fields["Code"] == "AuthorizationHeaderMalformed":
        known[code_message(fields["Code"], text)] = known.pop(
            code_message(fields["Code"], text.replace("us-east-1", "{region}"))
        )
    name = known.get(code_message(fields["Code"], text))
    problem = (
        S3Problem.of(name, region=fields.get("Region", ""))
        if name
        else S3Problem.of(known[code_message(fields["Code"], bare)], detail.removesuffix(")"))
    )
    asked = record["request"]
    if record["name"] == "copy-missing-bucket":
        problem.about = ("nosuch-b", "x")
    problem.routed = problem.routed and not asked["path"].startswith("/minio/health/")
    rendered = render(
        problem,
        request(asked["method"], asked["path"]),
        fields["RequestId"],
        fields["HostId"],
        form=form,  # type: ignore[arg-type]
        region=fields.get("Region", ""),
    )
    assert rendered.body == body.encode()
    assert rendered.status == answer["status"]
    sent = {key.lower(): value for key, value in rendered.headers}
    for header in ("content-type", "server", "x-amz-id-2", "x-amz-request-id", "vary"):
        assert sent[header] == answer["headers"][header]


def code_message(code: str, message: str) -> str:
    return f"{code}|{message}"


def _elements(body: str) -> dict[str, str]:
    found = re.findall(r"<(\w+)>([^<]*)</", body)
    return {name: unescape(value) for name, value in found}


def test_a_head_request_gets_the_error_in_headers_only() -> None:
    answer = render(S3Problem.of("NoSuchKey"), request("HEAD"), "1", "2")
    assert answer.body == b""
    assert answer.header("x-minio-error-code") == "NoSuchKey"
    assert answer.header("x-minio-error-desc") == '"The specified key does not exist."'


def test_a_wrong_region_names_the_right_one() -> None:
    answer = render(S3Problem.wrong_region("eu-west-1"), request(), "1", "2")
    assert b"expecting &#39;eu-west-1&#39;." in bytes_of(answer.body)
    assert b"<Region>eu-west-1</Region>" in bytes_of(answer.body)


def test_overload_asks_the_client_to_come_back() -> None:
    answer = render(S3Problem.of("SlowDownRead"), request(), "1", "2")
    assert answer.header("retry-after") == "60"


def test_every_catalogued_status_is_an_error() -> None:
    assert all(400 <= entry.status < 600 for entry in catalogue().values())


def test_json_is_escaped_as_go_does() -> None:
    assert (
        go_json({"v": "<unknown>&\u2028é"})
        == '{"v":"\\u003cunknown\\u003e\\u0026\\u2028é"}'.encode()
    )


def bytes_of(body: object) -> bytes:
    assert isinstance(body, bytes)
    return body


def test_control_characters_become_references() -> None:
    assert document(element("Key", "a\x01b<&\"'"), declaration=False) == (
        b"<Key>a&#x1;b&lt;&amp;&#34;&#39;</Key>"
    )


def test_url_encoding_keeps_slash_and_star_and_escapes_the_tilde() -> None:
    assert url_encode("a b/c*~+é") == "a+b/c*%7E%2B%C3%A9"
    assert url_encode("a b", None) == "a b"


def test_namespaces_and_what_follows_the_root_are_ignored() -> None:
    node = parse(b'<T xmlns="urn:x"><A> 1 </A><A>2</A></T><junk', "T")
    assert [child.text for child in node.all("A")] == [" 1 ", "2"]
    assert node.value("B") is None


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "EOF"),
        (b"this is not xml", "EOF"),
        (b"<Foo/>", "expected element type <T> but have <Foo>"),
        (b"<T>", "XML syntax error on line 1: no element found"),
        (
            b'<!DOCTYPE x [<!ENTITY a "b">]><T>&a;</T>',
            "document type declarations are not allowed",
        ),
        (b"<a>" * 40, "document too deep or too large"),
    ],
)
def test_a_bad_document_says_why(body: bytes, reason: str) -> None:
    with pytest.raises(XmlProblem, match=re.escape(reason)):
        parse(body, "T")
