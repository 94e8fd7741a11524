"""Multipart uploads of the S3 server."""

from __future__ import annotations

import base64
import os
import zlib
from typing import TYPE_CHECKING

import pytest

from tests.s3_calls import S3, Answer, Server, client_key, kms_with

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

KINDS = {"plain": {}, "s3": S3, "kms": kms_with("tenant-a"), "c": client_key()}
FIRST = os.urandom(5 << 20)


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "data")
    server("PUT", "/bkt")
    yield server
    server.close()


def start(s3: Server, headers: dict[str, str] | None = None) -> str:
    return s3("POST", "/bkt/k", "uploads=", headers).all("UploadId")[0]


def put_part(
    s3: Server, upload: str, number: int, body: bytes, headers: dict[str, str] | None = None
) -> Answer:
    return s3("PUT", "/bkt/k", f"partNumber={number}&uploadId={upload}", headers, body)


def complete(
    s3: Server,
    upload: str,
    parts: Sequence[tuple[int, str]],
    headers: dict[str, str] | None = None,
    checksums: Sequence[str] = (),
) -> Answer:
    sums = [f"<ChecksumCRC32>{value}</ChecksumCRC32>" for value in checksums]
    inner = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag>{extra}</Part>"
        for (number, etag), extra in zip(parts, sums or [""] * len(parts), strict=True)
    )
    body = f"<CompleteMultipartUpload>{inner}</CompleteMultipartUpload>"
    return s3("POST", "/bkt/k", f"uploadId={upload}", headers, body)


@pytest.mark.parametrize("kind", KINDS)
def test_parts_become_one_object(s3: Server, kind: str) -> None:
    need = KINDS[kind] if kind == "c" else {}
    upload = start(s3, {**KINDS[kind], "x-amz-meta-a": "1", "x-amz-tagging": "a=1"})
    one = put_part(s3, upload, 1, FIRST, need)
    assert one.sse == KINDS[kind].get("x-amz-server-side-encryption", "")
    two = put_part(s3, upload, 2, b"tail", need)
    done = complete(s3, upload, [(1, one.etag), (2, two.etag)], need)
    assert done.status == 200
    assert not any("encryption" in name for name in done.headers)
    get = s3("GET", "/bkt/k", headers=need)
    assert get.body == FIRST + b"tail"
    assert get.etag == done.etag
    assert get.etag.endswith("-2")
    assert get.headers["x-amz-meta-a"] == "1"
    across = s3("GET", "/bkt/k", headers={**need, "range": "bytes=5242878-5242881"})
    assert across.body == FIRST[-2:] + b"ta"
    part = s3("GET", "/bkt/k", "partNumber=2", need)
    assert (part.status, part.body) == (206, b"tail")
    assert part.headers["x-amz-mp-parts-count"] == "2"
    assert s3("GET", "/bkt/k", "partNumber=3", need).status == 416


@pytest.mark.parametrize("kind", ["plain", "s3"])
def test_the_etag_is_that_of_the_plaintext(s3: Server, kind: str) -> None:
    upload = start(s3, KINDS[kind])
    etag = put_part(s3, upload, 1, b"data").etag
    done = complete(s3, upload, [(1, etag)])
    assert (etag, done.etag) == (
        "8d777f385d3dfec8815d20f7496026dc",
        "2068bfdec27f4616282c1124300f0ae6-1",
    )


def test_a_part_can_be_uploaded_again(s3: Server) -> None:
    upload = start(s3)
    put_part(s3, upload, 1, b"old")
    etag = put_part(s3, upload, 1, b"new").etag
    complete(s3, upload, [(1, etag)])
    assert s3("GET", "/bkt/k").body == b"new"


def test_an_sse_c_upload_wants_its_key_with_every_part(s3: Server) -> None:
    upload = start(s3, client_key())
    answer = put_part(s3, upload, 1, b"x")
    assert answer.message.startswith("The multipart upload initiate requested encryption.")
    assert put_part(s3, upload, 1, b"x", client_key(b"Q" * 32)).status == 403


def test_checksums_of_an_sse_c_upload_are_listed_without_its_key(s3: Server) -> None:
    upload = start(s3, client_key() | {"x-amz-checksum-algorithm": "CRC32"})
    crc32 = base64.b64encode(zlib.crc32(b"x").to_bytes(4, "big")).decode()
    part = put_part(s3, upload, 1, b"x", client_key() | {"x-amz-checksum-crc32": crc32})
    listed = s3("GET", "/bkt/k", f"uploadId={upload}").text
    assert f"<ChecksumCRC32>{crc32}</ChecksumCRC32></Part>" in listed
    body = (
        f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{part.etag}</ETag>"
        f"<ChecksumCRC32>{crc32}</ChecksumCRC32></Part></CompleteMultipartUpload>"
    )
    assert (
        s3("POST", "/bkt/k", f"uploadId={upload}", headers=client_key(), body=body).status == 200
    )


def test_what_cannot_be_completed(s3: Server) -> None:
    upload = start(s3)
    etags = [put_part(s3, upload, number, b"small").etag for number in (1, 2)]
    ordered = [(1, etags[0]), (2, etags[1])]
    assert complete(s3, upload, []).message == "You must specify at least one part"
    assert complete(s3, upload, ordered[::-1]).code == "InvalidPartOrder"
    assert complete(s3, upload, [(1, "abc")]).code == "InvalidPart"
    assert complete(s3, upload, [(1, etags[0]), (7, etags[1])]).code == "InvalidPart"
    assert complete(s3, upload, ordered).code == "EntityTooSmall"
    assert complete(s3, upload, ordered[1:]).status == 200
    assert complete(s3, upload, ordered[1:]).code == "NoSuchUpload"
    assert put_part(s3, upload, 1, b"x").code == "NoSuchUpload"


@pytest.mark.parametrize("number", ["0", "10001", "x", "-1"])
def test_part_numbers_have_bounds(s3: Server, number: str) -> None:
    upload = start(s3)
    answer = s3("PUT", "/bkt/k", f"partNumber={number}&uploadId={upload}", body=b"x")
    assert answer.status == 400


def test_an_aborted_upload_leaves_nothing(s3: Server, tmp_path: Path) -> None:
    upload = start(s3)
    put_part(s3, upload, 1, FIRST)
    assert s3("DELETE", "/bkt/k", f"uploadId={upload}").status == 204
    assert s3("DELETE", "/bkt/k", f"uploadId={upload}").status == 204
    assert put_part(s3, upload, 1, b"x").code == "NoSuchUpload"
    assert not [path for path in (tmp_path / "data/content").rglob("*") if path.is_file()]


def test_parts_are_listed_in_pages(s3: Server) -> None:
    upload = start(s3, S3)
    etags = [put_part(s3, upload, number, b"x" * number).etag for number in (1, 2, 3)]
    page = s3("GET", "/bkt/k", f"uploadId={upload}&max-parts=2")
    assert page.all("PartNumber") == ["1", "2"]
    assert page.all("ETag") == [f"&#34;{etag}&#34;" for etag in etags[:2]]
    assert page.all("IsTruncated") == ["true"]
    marker = page.all("NextPartNumberMarker")[0]
    rest = s3("GET", "/bkt/k", f"uploadId={upload}&part-number-marker={marker}")
    assert rest.all("PartNumber") == ["3"]


def test_uploads_are_listed(s3: Server) -> None:
    ids = {key: s3("POST", f"/bkt/{key}", "uploads=").all("UploadId")[0] for key in "abc"}
    assert s3("GET", "/bkt", "uploads=").all("UploadId") == [ids["a"], ids["b"], ids["c"]]
    assert s3("GET", "/bkt", "uploads=&prefix=b").all("Key") == ["b"]
    page = s3("GET", "/bkt", "uploads=&max-uploads=1")
    assert (page.all("Key"), page.all("NextKeyMarker")) == (["a"], ["a"])
    query = f"uploads=&key-marker=a&upload-id-marker={ids['a']}"
    assert s3("GET", "/bkt", query).all("Key") == ["b", "c"]


@pytest.mark.parametrize("kind", ["plain", "s3", "kms"])
def test_a_part_can_be_copied(s3: Server, kind: str) -> None:
    s3("PUT", "/bkt/source", headers=KINDS[kind], body=FIRST)
    upload = start(s3, KINDS[kind])
    headers = {"x-amz-copy-source": "/bkt/source", "x-amz-copy-source-range": "bytes=65530-65545"}
    answer = put_part(s3, upload, 1, b"", headers)
    etag = answer.all("ETag")[0].removeprefix("&#34;").removesuffix("&#34;")
    assert complete(s3, upload, [(1, etag)]).status == 200
    assert s3("GET", "/bkt/k").body == FIRST[65530:65546]


@pytest.mark.parametrize("text", ["bytes=5-", "bytes=a", "bytes=0-99999999", "bytes=9-3"])
def test_copy_ranges_have_to_be_exact(s3: Server, text: str) -> None:
    s3("PUT", "/bkt/source", body=b"0123456789")
    headers = {"x-amz-copy-source": "/bkt/source", "x-amz-copy-source-range": text}
    assert put_part(s3, start(s3), 1, b"", headers).code == "InvalidArgument"


def crc(body: bytes) -> str:
    return base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()


@pytest.mark.parametrize(
    ("kind", "total"),
    [
        ("FULL_OBJECT", crc(FIRST + b"tail")),
        ("COMPOSITE", crc(base64.b64decode(crc(FIRST)) + base64.b64decode(crc(b"tail"))) + "-2"),
    ],
    ids=["full", "composite"],  # the sums are others in each process
)
@pytest.mark.parametrize("sse", [{}, S3])
def test_checksums_of_parts_make_that_of_the_object(
    s3: Server, kind: str, total: str, sse: dict[str, str]
) -> None:
    asked = {"x-amz-checksum-algorithm": "CRC32", "x-amz-checksum-type": kind}
    upload = start(s3, {**asked, **sse})
    sums = [crc(FIRST), crc(b"tail")]
    parts = [
        (number, put_part(s3, upload, number, body, {"x-amz-checksum-crc32": value}).etag)
        for number, body, value in ((1, FIRST, sums[0]), (2, b"tail", sums[1]))
    ]
    assert complete(s3, upload, parts).code == "InvalidPart"
    done = complete(s3, upload, parts, checksums=sums)
    assert done.all("ChecksumCRC32") == [total]
    head = s3("HEAD", "/bkt/k", headers={"x-amz-checksum-mode": "ENABLED"})
    assert head.headers["x-amz-checksum-crc32"] == total
    assert head.headers["x-amz-checksum-type"] == kind


def test_an_upload_meets_its_conditions_when_it_is_completed(s3: Server) -> None:
    upload = start(s3)
    etag = put_part(s3, upload, 1, b"x").etag
    s3("PUT", "/bkt/k", body=b"other")
    assert complete(s3, upload, [(1, etag)], {"if-none-match": "*"}).status == 412
    assert s3("GET", "/bkt/k").body == b"other"
    assert complete(s3, upload, [(1, etag)]).status == 200


def test_a_bucket_with_an_upload_under_way_is_still_empty(s3: Server) -> None:
    start(s3)
    assert s3("DELETE", "/bkt").status == 204


def test_uploads_of_one_name_are_listed_from_that_name_on(s3: Server) -> None:
    for _ in range(2):
        assert s3("POST", "/bkt/some/name", "uploads=").status == 200
    query = "uploads=&prefix=some/name&key-marker=some/name&delimiter=/"
    assert s3("GET", "/bkt", query).all("Key") == ["some/name"] * 2
    assert s3("GET", "/bkt", "uploads=&key-marker=some/name").all("Key") == []
    answer = s3("GET", "/bkt", "uploads=&prefix=some&key-marker=other")
    assert (answer.status, answer.code) == (501, "NotImplemented")


def test_attributes_show_parts_in_pages_with_their_checksums(s3: Server) -> None:
    headers = {**client_key(), "x-amz-checksum-algorithm": "CRC32"}
    upload = s3("POST", "/bkt/key", "uploads=", headers).all("UploadId")[0]
    listed = ""
    for number, data in enumerate((b"a" * (5 << 20), b"b"), 1):
        query = f"uploadId={upload}&partNumber={number}"
        part = s3("PUT", "/bkt/key", query, client_key(), body=data)
        value = part.headers["x-amz-checksum-crc32"]
        listed += f"<Part><PartNumber>{number}</PartNumber><ETag>{part.etag}</ETag>"
        listed += f"<ChecksumCRC32>{value}</ChecksumCRC32></Part>"
    body = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>"
    done = s3("POST", "/bkt/key", f"uploadId={upload}", client_key(), body=body)
    assert done.status == 200, done.text

    asked = {**client_key(), "x-amz-object-attributes": "ObjectParts"}
    whole = s3("GET", "/bkt/key", "attributes=", asked)
    assert whole.all("PartNumber") == ["1", "2"]
    assert len(whole.all("ChecksumCRC32")) == 2
    asked |= {"x-amz-max-parts": "1"}
    page = s3("GET", "/bkt/key", "attributes=", asked)
    assert (page.all("PartNumber"), page.all("IsTruncated")) == (["1"], ["true"])
    asked |= {"x-amz-part-number-marker": "1"}
    page = s3("GET", "/bkt/key", "attributes=", asked)
    assert (page.all("PartNumber"), page.all("IsTruncated")) == (["2"], ["false"])
    asked |= {"x-amz-max-parts": "many"}
    answer = s3("GET", "/bkt/key", "attributes=", asked)
    assert (answer.status, answer.code) == (400, "InvalidArgument")


def test_what_is_no_upload_id_cannot_be_aborted(s3: Server) -> None:
    assert s3("DELETE", "/bkt/k", "uploadId=56788").code == "NoSuchUpload"
    assert s3("DELETE", "/bkt/k", "uploadId=a*b.").code == "NoSuchUpload"
