"""Archives: unpacked when they are put, or looked into where they lie."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest

from tests.s3_calls import S3, Server, client_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

EXTRACT = {"x-amz-meta-snowball-auto-extract": "true"}
LOOK = {"x-minio-extract": "true"}


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "data")
    server("PUT", "/bkt")
    yield server
    server.close()


def tar(**pax: str) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as archive:
        folder = tarfile.TarInfo("./folder")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        link = tarfile.TarInfo("link")
        link.type = tarfile.SYMTYPE
        archive.addfile(link)
        for name, size in (("folder/small", 5), ("/large", 2_000_000)):
            info = tarfile.TarInfo(name)
            info.size, info.mtime, info.pax_headers = size, 1_600_000_000, pax
            archive.addfile(info, io.BytesIO(b"x" * size))
    return raw.getvalue()


def keys(s3: Server) -> list[str]:
    return s3("GET", "/bkt", "list-type=2").all("Key")


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_an_archive_becomes_its_files(s3: Server, pack: Callable[[bytes], bytes]) -> None:
    headers = {**EXTRACT, "x-amz-meta-minio-snowball-prefix": "/in/", **S3}
    assert s3("PUT", "/bkt/a.tar", headers=headers, body=pack(tar())).status == 200
    assert keys(s3) == ["in/folder/", "in/folder/small", "in/large"]
    got = s3("GET", "/bkt/in/large")
    assert (len(got.body), got.sse) == (2_000_000, "AES256")
    assert got.headers["last-modified"] == "Sun, 13 Sep 2020 12:26:40 GMT"
    assert "x-amz-meta-snowball-auto-extract" not in got.headers


def test_folders_can_be_left_out_and_metadata_comes_along(s3: Server) -> None:
    s3.enable_versioning("/bkt")
    version = "3ba7b810-9dad-41d1-80b4-00c04fd430c8"
    body = tar(**{"minio.metadata.x-amz-meta-colour": "red", "minio.versionId": version})
    headers = {**EXTRACT, "x-amz-meta-minio-snowball-ignore-dirs": "true"}
    assert s3("PUT", "/bkt/a.tar", headers=headers, body=body).status == 200
    assert keys(s3) == ["folder/small", "large"]
    got = s3("HEAD", "/bkt/large")
    assert (got.headers["x-amz-meta-colour"], got.headers["x-amz-version-id"]) == ("red", version)


def test_what_is_no_archive_is_refused_or_stored_as_it_is(s3: Server) -> None:
    assert s3("PUT", "/bkt/a.tar", headers=EXTRACT, body=b"no archive").status == 500
    assert keys(s3) == []
    assert s3("PUT", "/bkt/a", headers={next(iter(EXTRACT)): "no"}, body=b"x").status == 200
    assert keys(s3) == ["a"]


def test_files_that_cannot_be_stored_can_be_passed_over(s3: Server) -> None:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        for name in ("x" * 300, "good"):
            archive.addfile(tarfile.TarInfo(name))
    headers = {**EXTRACT, "x-amz-object-lock-mode": "GOVERNANCE"}
    assert s3("PUT", "/bkt/a.tar", headers=headers, body=raw.getvalue()).status == 400
    headers |= {"x-amz-meta-minio-snowball-ignore-errors": "true"}
    assert s3("PUT", "/bkt/a.tar", headers=headers, body=raw.getvalue()).status == 200
    assert keys(s3) == []


def put_zip(s3: Server, headers: dict[str, str] | None = None) -> None:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("b/two.txt", b"2" * 300_000)
        archive.writestr("a.json", b"{}")
        archive.writestr("b/one", b"1")
        archive.mkdir("empty")
    assert s3("PUT", "/bkt/my.zip", headers=headers, body=raw.getvalue()).status == 200


@pytest.mark.parametrize("sse", [{}, S3, client_key()])
def test_a_file_within_an_archive_is_an_object(s3: Server, sse: dict[str, str]) -> None:
    put_zip(s3, sse)
    look = LOOK | (sse if sse != S3 else {})
    got = s3("GET", "/bkt/my.zip/b/two.txt", headers=look)
    assert got.body == b"2" * 300_000
    assert got.headers["content-type"] == "text/plain"
    head = s3("HEAD", "/bkt/my.zip/a.json", headers=look)
    assert (head.status, head.headers["content-length"]) == (200, "2")
    assert s3("GET", "/bkt/my.zip/nope", headers=look).code == "NoSuchKey"
    assert s3("HEAD", "/bkt/my.zip/nope", headers=look).status == 404
    assert s3("GET", "/bkt/other.zip/nope", headers=look).code == "NoSuchKey"
    assert s3("GET", "/bkt/my.zip/a.json").code == "NoSuchKey"
    assert s3("HEAD", "/bkt/my.zip/a.json").status == 404
    assert s3("GET", "/bkt/my.zip/a.json", headers=look | {"range": "bytes=0-1"}).status == 416


def test_an_archive_is_listed(s3: Server) -> None:
    put_zip(s3)
    prefix = "list-type=2&prefix=my.zip/"
    assert s3("GET", "/bkt", prefix, LOOK).all("Key") == [
        "my.zip/a.json",
        "my.zip/b/one",
        "my.zip/b/two.txt",
    ]
    folded = s3("GET", "/bkt", f"{prefix}&delimiter=/", LOOK)
    assert (folded.all("Key"), folded.all("Prefix")[1:]) == (["my.zip/a.json"], ["my.zip/b/"])
    first = s3("GET", "/bkt", f"{prefix}&max-keys=1", LOOK)
    assert (first.all("Key"), first.all("IsTruncated")) == (["my.zip/a.json"], ["true"])
    rest = s3("GET", "/bkt", "prefix=my.zip/&marker=my.zip/a.json", LOOK)
    assert len(rest.all("Key")) == 2
    assert s3("GET", "/bkt", "list-type=2&prefix=no.zip/", LOOK).all("Key") == []
    assert s3("GET", "/bkt", prefix).all("Key") == []


def test_what_is_no_archive_cannot_be_looked_into(s3: Server) -> None:
    s3("PUT", "/bkt/bad.zip", body=b"no archive")
    assert s3("GET", "/bkt/bad.zip/file", headers=LOOK).status == 500
