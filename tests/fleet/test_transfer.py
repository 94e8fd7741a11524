"""Parts, ranges and digests over a scripted server, and what is done when one fails."""

from __future__ import annotations

import base64
import hashlib
import os
import zlib
from typing import TYPE_CHECKING

import httpx
import pytest

from mcpy.api.http import HttpOptions
from mcpy.api.s3 import S3
from mcpy.errors import (
    InputError,
    IntegrityError,
    Interrupted,
    S3Error,
    UnreachableError,
    UnsupportedError,
)
from mcpy.fleet.transfer import Limits, Pace, Place, Wish, copy, covers, download, pour, upload
from mcpy.fleet.transfer.attributes import of_file, parse_attributes, parse_retention, restore
from mcpy.fleet.transfer.upload import part_bytes
from mcpy.fleet.transfer.walk import walk_files
from mcpy.models import Alias, ObjectEncryption, Target
from tests.stub import ETAG, Server, gone, ok, s3_error, xml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MIB = 1024**2
STARTED = xml(
    200,
    "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>",
)
COMPLETED = xml(200, "<CompleteMultipartUploadResult/>")
TEN = b"0123456789"
SMALL = Limits(part=4, ranges_from=4, range=4, copy=4, copy_part=4)


def pace(**options: object) -> Pace:
    return Pace(parallel=1, limits=SMALL, **options)  # type: ignore[arg-type]


@pytest.fixture
def place(server: Server) -> Place:
    alias = Alias("play", "http://s3.test", "minioadmin", "minioadmin")
    options = HttpOptions(transport=server, sleep=lambda _: None)
    return Place(S3(alias, options), Target("play", "enc-1", "o"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "ten"
    path.write_bytes(TEN)
    return path


def part(number: int) -> httpx.Response:
    return ok(etag=f'"e{number}"')


def head(size: str = "10", **headers: str) -> httpx.Response:
    return ok(content_length=size, etag='"e"', **headers)


def body(data: bytes, first: int = 0, total: int = 10, etag: str = "e") -> httpx.Response:
    headers = {
        "content-length": str(len(data)),
        "content-range": f"bytes {first}-{first + len(data) - 1}/{total}",
        "etag": f'"{etag}"',
    }
    return httpx.Response(206 if first else 200, headers=headers, content=data)


class _Cut(httpx.SyncByteStream):
    def __iter__(self) -> Iterator[bytes]:
        yield b"0123"
        raise httpx.ReadError("cut")


def cut(_: httpx.Request) -> httpx.Response:
    headers = {"content-length": "10", **ETAG}
    return httpx.Response(200, headers=headers, stream=_Cut())


def test_an_upload_in_parts_hashes_each_and_completes_them_in_order(
    place: Place, server: Server, file: Path
) -> None:
    server.replies = [STARTED, part(1), part(2), part(3), COMPLETED, head()]
    moved: list[int] = []
    upload(file, place, Wish(ObjectEncryption()), pace(advance=moved.append))
    assert [call.replace("/enc-1/o?", "") for call in server.calls] == [
        "POST uploads=",
        "PUT partNumber=1&uploadId=u",
        "PUT partNumber=2&uploadId=u",
        "PUT partNumber=3&uploadId=u",
        "POST uploadId=u",
        "HEAD /enc-1/o",
    ]
    for number, data in enumerate((b"0123", b"4567", b"89"), start=1):
        sent = server.requests[number]
        assert sent.content == data
        assert sent.headers["x-amz-content-sha256"] == hashlib.sha256(data).hexdigest()
    assert server.requests[4].content.count(b"<PartNumber>") == 3
    assert sum(moved) == 10


def test_the_encryption_of_parts_is_asked_for_once(
    place: Place, server: Server, file: Path
) -> None:
    kms = {"x_amz_server_side_encryption": "aws:kms"}
    stored = head(**kms, x_amz_server_side_encryption_aws_kms_key_id="arn:aws:kms:k")
    server.replies = [STARTED, part(1), part(2), part(3), COMPLETED, stored]
    upload(file, place, Wish(ObjectEncryption("aws:kms", "k")), pace())
    named = ["x-amz-server-side-encryption" in request.headers for request in server.requests]
    assert named == [True, False, False, False, False, False]


def test_an_upload_that_fails_is_aborted(place: Place, server: Server, file: Path) -> None:
    server.replies = [STARTED, part(1), s3_error(403, "AccessDenied"), gone()]
    with pytest.raises(S3Error, match="AccessDenied"):
        upload(file, place, Wish(), pace())
    assert server.calls[-1] == "DELETE /enc-1/o?uploadId=u"


def test_an_upload_whose_completion_fails_in_a_200_is_aborted(
    place: Place, server: Server, file: Path
) -> None:
    broken = s3_error(200, "InternalError")
    server.replies = [STARTED, part(1), part(2), part(3), broken, gone()]
    with pytest.raises(S3Error, match="InternalError"):
        upload(file, place, Wish(), pace())
    assert server.calls[-1] == "DELETE /enc-1/o?uploadId=u"


def test_an_upload_that_is_interrupted_is_aborted(
    place: Place, server: Server, file: Path
) -> None:
    how = pace()
    server.replies = [STARTED, part(1), gone()]
    how = pace(advance=lambda _: how.stop.set())
    with pytest.raises(Interrupted):
        upload(file, place, Wish(), how)
    assert server.calls[-1] == "DELETE /enc-1/o?uploadId=u"


def test_a_part_is_sent_again_after_a_passing_failure(
    place: Place, server: Server, file: Path
) -> None:
    failures: list[httpx.Response | Exception] = [
        s3_error(500, "InternalError"),
        httpx.ReadError("cut"),
    ]
    server.replies = [STARTED, *failures, part(1), part(2), part(3), COMPLETED, head()]
    upload(file, place, Wish(), pace())
    assert [request.content for request in server.requests[1:4]] == [b"0123"] * 3


REFUSED = s3_error(403, "AccessDenied")


def keep_an_upload(place: Place, server: Server, file: Path, wish: Wish) -> Pace:
    """Begin an upload that fails at its second part; return the pace that goes on with it."""
    how = pace(resume=True, begun=file.parent / "uploads")
    server.replies = [STARTED, part(1), REFUSED]
    with pytest.raises(S3Error):
        upload(file, place, wish, how)
    return how


def test_an_interrupted_upload_goes_on_with_the_parts_that_are_the_same(
    place: Place, server: Server, file: Path
) -> None:
    how = keep_an_upload(place, server, file, Wish())
    same = base64.b64encode(hashlib.sha256(b"0123").digest()).decode()
    parts = xml(
        200,
        f"<ListPartsResult><Part><PartNumber>1</PartNumber><ETag>e1</ETag><Size>4</Size>"
        f"<ChecksumSHA256>{same}</ChecksumSHA256></Part><Part><PartNumber>2</PartNumber>"
        f"<ETag>{hashlib.md5(b'older').hexdigest()}</ETag><Size>4</Size></Part>"
        "</ListPartsResult>",
    )
    server.requests.clear()
    server.replies = [parts, part(2), part(3), COMPLETED, head()]
    upload(file, place, Wish(), how)
    assert server.calls[0] == "GET /enc-1/o?uploadId=u"
    assert [request.content for request in server.requests[1:3]] == [b"4567", b"89"]
    assert b'<PartNumber>1</PartNumber><ETag>"e1"</ETag>' in server.requests[3].content
    server.replies = [STARTED, part(1), part(2), part(3), COMPLETED, head()]
    upload(file, place, Wish(), how)  # what is complete is not gone on with


@pytest.mark.parametrize(
    "other", [Wish(ObjectEncryption("AES256")), Wish(headers={"x-amz-object-lock-mode": "x"})]
)
def test_an_upload_that_was_begun_otherwise_is_not_gone_on_with(
    place: Place, server: Server, file: Path, other: Wish
) -> None:
    how = keep_an_upload(place, server, file, Wish())
    server.requests.clear()
    server.replies = [STARTED, part(1), REFUSED]
    with pytest.raises(S3Error):
        upload(file, place, other, how)
    assert server.calls[0] == "POST /enc-1/o?uploads="


def test_an_upload_that_is_gone_begins_anew(place: Place, server: Server, file: Path) -> None:
    how = keep_an_upload(place, server, file, Wish())
    gone = s3_error(404, "NoSuchUpload")
    server.replies = [gone, STARTED, part(1), part(2), part(3), COMPLETED, head()]
    upload(file, place, Wish(), how)
    assert list((file.parent / "uploads").iterdir()) == []


def test_a_resumable_upload_is_kept_when_it_fails(
    place: Place, server: Server, file: Path
) -> None:
    keep_an_upload(place, server, file, Wish())
    assert not any(call.startswith("DELETE") for call in server.calls)


def test_what_is_stored_with_another_size_is_an_error(
    place: Place, server: Server, file: Path
) -> None:
    server.replies = [ok(), head("9")]
    with pytest.raises(IntegrityError, match="stored with 9 of 10 bytes"):
        upload(file, place, Wish(), Pace())


@pytest.mark.parametrize(
    ("size", "part_size"),
    [(1, 16), (160_000 * MIB, 16), (160_000 * MIB + 1, 17), (5 * 1024 * 1024 * MIB, 525)],
)
def test_no_upload_has_more_than_ten_thousand_parts(size: int, part_size: int) -> None:
    assert part_bytes(size, 16 * MIB) == part_size * MIB
    assert -(-size // part_bytes(size, 16 * MIB)) <= 10_000


def test_a_broken_connection_is_gone_on_from_where_it_broke(
    place: Place, server: Server, tmp_path: Path
) -> None:
    server.replies = [cut, body(b"456789", 4)]
    download(place, tmp_path / "o", Pace())
    assert (tmp_path / "o").read_bytes() == TEN
    again = server.requests[1].headers
    assert (again["range"], again["if-match"]) == ("bytes=4-9", '"e"')


def test_a_connection_that_breaks_for_ever_leaves_no_file(
    place: Place, server: Server, tmp_path: Path
) -> None:
    server.replies = [cut, *[httpx.ReadError("cut")] * 4]
    with pytest.raises(UnreachableError):
        download(place, tmp_path / "o", Pace())
    assert list(tmp_path.iterdir()) == []


def test_an_object_that_changes_meanwhile_is_not_patched_together(
    place: Place, server: Server, tmp_path: Path
) -> None:
    server.replies = [cut, body(b"456789", 4, etag="other")]
    with pytest.raises(IntegrityError, match="was changed while it was fetched"):
        download(place, tmp_path / "o", Pace())
    assert list(tmp_path.iterdir()) == []


def test_a_large_object_comes_by_ranges_of_what_it_was_at_first(
    place: Place, server: Server, tmp_path: Path
) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        first, last = map(int, request.headers["range"].removeprefix("bytes=").split("-"))
        assert request.headers["if-match"] == '"e"'
        return body(TEN[first : last + 1], first)

    server.replies = [body(TEN), answer, answer]
    moved: list[int] = []
    limits = Limits(ranges_from=4, range=4)
    download(place, tmp_path / "o", Pace(moved.append, parallel=2, limits=limits))
    assert (tmp_path / "o").read_bytes() == TEN
    ranges = {request.headers.get("range", "") for request in server.requests}
    assert ranges == {"", "bytes=4-7", "bytes=8-9"}
    assert sum(moved) == 10


def test_an_interrupted_download_goes_on_with_what_is_whole(
    place: Place, server: Server, tmp_path: Path
) -> None:
    server.replies = [head(), cut, httpx.ReadError("cut")]
    options = place.s3.http.options
    assert options.retries == 3
    server.replies += [httpx.ReadError("cut")] * 3
    with pytest.raises(UnreachableError):
        download(place, tmp_path / "o", pace(resume=True))
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"0123"]
    server.replies = [head(), body(b"456789", 4)]
    download(place, tmp_path / "o", pace(resume=True))
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("o", TEN)]


def test_what_was_left_of_another_object_is_not_gone_on_with(
    place: Place, server: Server, tmp_path: Path
) -> None:
    (tmp_path / ".o.older.part").write_bytes(b"abcd")
    server.replies = [head(), body(TEN)]
    download(place, tmp_path / "o", pace(resume=True))
    assert (tmp_path / "o").read_bytes() == TEN


@pytest.mark.parametrize(
    "headers",
    [
        {"etag": f'"{hashlib.md5(b"other").hexdigest()}"'},
        {"x-amz-checksum-sha256": base64.b64encode(hashlib.sha256(b"other").digest()).decode()},
        {"x-amz-checksum-crc32": base64.b64encode(zlib.crc32(b"other").to_bytes(4)).decode()},
    ],
)
def test_bytes_that_are_not_the_server_s_are_an_error(
    place: Place, server: Server, tmp_path: Path, headers: dict[str, str]
) -> None:
    sent = {"content-length": "10", **ETAG, **headers}
    server.replies = [httpx.Response(200, headers=sent, content=TEN)]
    (tmp_path / "o").write_text("as it was")
    with pytest.raises(IntegrityError, match="arrived changed"):
        download(place, tmp_path / "o", Pace())
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("o", "as it was")]


def test_the_right_checksums_are_taken(place: Place, server: Server) -> None:
    sha256 = base64.b64encode(hashlib.sha256(TEN).digest()).decode()
    sent = {
        "content-length": "10",
        **ETAG,
        "x-amz-checksum-sha256": sha256,
        "x-amz-checksum-type": "X",
    }
    server.replies = [httpx.Response(200, headers=sent, content=TEN)]
    chunks: list[bytes] = []
    assert pour(place, chunks.append).checksums == {"SHA256": sha256}
    assert b"".join(chunks) == TEN
    assert server.requests[0].headers["x-amz-checksum-mode"] == "ENABLED"


def test_what_is_too_large_for_one_copy_is_copied_in_parts(place: Place, server: Server) -> None:
    copied = xml(200, '<CopyPartResult><ETag>"p"</ETag></CopyPartResult>')
    sse = {"x_amz_server_side_encryption": "AES256"}
    source = head(**sse, x_amz_tagging_count="1", x_amz_meta_owner="me")
    tags = xml(
        200, "<Tagging><TagSet><Tag><Key>a</Key><Value>b c</Value></Tag></TagSet></Tagging>"
    )
    server.replies = [
        source,
        tags,
        STARTED,
        copied,
        copied,
        copied,
        COMPLETED,
        head(**sse),
        body(b"0"),
    ]
    target = Place(place.s3, Target("play", "enc-1", "t"))
    sizes = Limits(copy=4, copy_part=4)
    copy(place, target, Wish(), Pace(parallel=1, limits=sizes))
    started = server.requests[2].headers
    assert started["x-amz-server-side-encryption"] == "AES256"
    assert (started["x-amz-tagging"], started["x-amz-meta-owner"]) == ("a=b+c", "me")
    ranges = [request.headers["x-amz-copy-source-range"] for request in server.requests[3:6]]
    assert ranges == ["bytes=0-3", "bytes=4-7", "bytes=8-9"]
    assert server.requests[3].headers["x-amz-copy-source-if-match"] == "e"


def test_a_copy_in_parts_that_fails_is_aborted(place: Place, server: Server) -> None:
    server.replies = [head(), STARTED, s3_error(412, "PreconditionFailed"), gone()]
    target = Place(place.s3, Target("play", "enc-1", "t"))
    with pytest.raises(S3Error, match="PreconditionFailed"):
        copy(place, target, Wish(), Pace(parallel=1, limits=Limits(copy=4, copy_part=4)))
    assert server.calls[-1] == "DELETE /enc-1/t?uploadId=u"


@pytest.mark.parametrize(
    ("prefix", "name", "covered"),
    [
        ("a/b", "a/b", True),
        ("a/b", "a/b/c", True),
        ("a/b/", "a/b/c", True),
        ("a/b", "a/b3/c", False),
        ("a/b/", "a/b", False),
    ],
)
def test_a_prefix_covers_what_is_below_it(prefix: str, name: str, *, covered: bool) -> None:
    assert covers(prefix, name) is covered


def test_files_are_found_in_order_and_nothing_but_files(tmp_path: Path) -> None:
    (tmp_path / "t" / "b").mkdir(parents=True)
    for name in ("t/b/2", "t/1", "t/3"):
        (tmp_path / name).touch()
    (tmp_path / "t" / "dangling").symlink_to("none")
    os.mkfifo(tmp_path / "t" / "pipe")
    found = [one.relative for one in walk_files(tmp_path / "t", contents=False)]
    assert found == ["t/1", "t/3", "t/b/2"]
    assert [one.relative for one in walk_files(tmp_path / "t", contents=True)] == [
        "1",
        "3",
        "b/2",
    ]


def test_a_file_s_attributes_are_kept_as_mc_keeps_them(file: Path, tmp_path: Path) -> None:
    file.chmod(0o640)
    os.utime(file, ns=(1_700_000_000_000_000_001, 1_700_000_000_000_000_002))
    kept = of_file(file)
    value = kept["x-amz-meta-mc-attrs"]
    assert value.startswith("atime:1700000000#1/gid:")
    assert f"/mode:{0o100640}/mtime:1700000000#2/uid:" in value
    other = tmp_path / "other"
    other.touch()
    restore(other, kept)
    assert other.stat().st_mode == 0o100640
    assert other.stat().st_mtime_ns == 1_700_000_000_000_000_002


def test_no_object_makes_a_file_run_as_somebody_else(file: Path) -> None:
    restore(file, {"x-amz-meta-mc-attrs": f"mode:{0o104755}/mtime:x#y"})
    assert file.stat().st_mode == 0o100755


def test_attributes_are_headers_where_s3_has_one() -> None:
    assert parse_attributes("Cache-Control=max-age=9,x;key=v;;X-Amz-Meta-K=w") == {
        "cache-control": "max-age=9,x",
        "x-amz-meta-key": "v",
        "x-amz-meta-k": "w",
    }


@pytest.mark.parametrize("text", ["novalue", "=v", "a=b\nc: d"])
def test_an_attribute_that_is_no_header_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_attributes(text)


@pytest.mark.parametrize(
    ("mode", "duration"), [("governance", ""), ("", "1d"), ("governance", "1h")]
)
def test_half_a_retention_is_refused(mode: str, duration: str) -> None:
    with pytest.raises(InputError):
        parse_retention(mode, duration)


def test_a_large_object_of_another_server_is_not_held_in_memory_whole(
    place: Place, server: Server
) -> None:
    server.replies = [head()]
    other = Place(S3(Alias("far", "http://far.test"), place.s3.http.options), place.target)
    with pytest.raises(UnsupportedError, match="too large for one request"):
        copy(other, place, Wish(), pace(multipart=False))
    assert server.calls == ["HEAD /enc-1/o"]


def test_an_object_of_the_same_size_with_another_etag_is_not_what_was_stored(
    place: Place, server: Server, file: Path
) -> None:
    server.replies = [ok(etag='"new"'), head()]
    with pytest.raises(IntegrityError, match="is not what was stored"):
        upload(file, place, Wish(), Pace())
