"""Each checksum of S3, on the way up and on the way down."""

from __future__ import annotations

import base64
import hashlib
import zlib
from typing import TYPE_CHECKING

import httpx
import pytest

from mcpy.api.http import HttpOptions
from mcpy.api.s3 import S3
from mcpy.crc import Crc32c, Crc64Nvme
from mcpy.errors import IntegrityError
from mcpy.fleet.transfer import Checksum, Limits, Pace, Place, Wish, download, upload
from mcpy.models import Alias, Target
from tests.stub import ETAG, ok, s3_error, xml

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.running import Mcpy
    from tests.stub import Server

TEN = b"0123456789"
STARTED = xml(
    200,
    "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>",
)


def crc(kind: type[Crc32c] | type[Crc64Nvme], data: bytes) -> bytes:
    digest = kind()
    digest.update(data)
    return digest.digest()


DIGESTS: dict[str, Callable[[bytes], bytes]] = {
    "SHA256": lambda data: hashlib.sha256(data).digest(),
    "SHA1": lambda data: hashlib.sha1(data).digest(),
    "CRC32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
    "CRC32C": lambda data: crc(Crc32c, data),
    "CRC64NVME": lambda data: crc(Crc64Nvme, data),
}


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.fixture
def place(server: Server) -> Place:
    alias = Alias("play", "http://s3.test", "minioadmin", "minioadmin")
    options = HttpOptions(transport=server, sleep=lambda _: None)
    return Place(S3(alias, options), Target("play", "enc-1", "o"))


def stored(name: str, value: str, content: bytes = TEN) -> httpx.Response:
    """An object in parts, or encrypted: its ETag is no digest."""
    headers = {"etag": '"e-2"', f"x-amz-checksum-{name.lower()}": value}
    return httpx.Response(200, headers=headers, content=content)


def attributes(*sizes: int, more: bool = False) -> httpx.Response:
    parts = "".join(f"<Part><Size>{size}</Size></Part>" for size in sizes)
    truncated = f"<IsTruncated>{str(more).lower()}</IsTruncated>"
    return xml(
        200,
        f"<GetObjectAttributesResponse><ObjectParts>{truncated}{parts}"
        "</ObjectParts></GetObjectAttributesResponse>",
    )


@pytest.mark.parametrize("name", DIGESTS)
def test_an_object_is_held_against_its_checksum(
    place: Place, server: Server, tmp_path: Path, name: str
) -> None:
    value = b64(DIGESTS[name](TEN))
    server.replies = [stored(name, value), stored(name, value, b"0123456780")]
    download(place, tmp_path / "o", Pace())
    assert (tmp_path / "o").read_bytes() == TEN
    with pytest.raises(IntegrityError, match=f"its {name} is not the server's"):
        download(place, tmp_path / "other", Pace())
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("name", [name for name in DIGESTS if name != "CRC64NVME"])
def test_an_object_in_parts_is_held_against_the_checksum_of_checksums(
    place: Place, server: Server, tmp_path: Path, name: str
) -> None:
    digest = DIGESTS[name]
    value = b64(digest(b"".join(digest(part) for part in (b"0123", b"4567", b"89")))) + "-3"
    pages = [attributes(4, 4, more=True), attributes(2)]
    server.replies = [stored(name, value), *pages, stored(name, value, b"1123456789"), *pages]
    download(place, tmp_path / "o", Pace())
    assert (tmp_path / "o").read_bytes() == TEN
    assert server.calls[1:3] == ["GET /enc-1/o?attributes="] * 2
    assert server.requests[1].headers["x-amz-object-attributes"] == "ObjectParts"
    assert server.requests[2].headers["x-amz-part-number-marker"] == "2"
    with pytest.raises(IntegrityError, match=f"its {name} is not the server's"):
        download(place, tmp_path / "other", Pace())


@pytest.mark.parametrize(
    "answer",
    [
        s3_error(501, "NotImplemented"),
        httpx.Response(200, headers=ETAG, content=TEN),  # a server that does not know the question
        attributes(),
        attributes(4, 4),  # of another object
        attributes(5, 5),  # not as many as the checksum says
        xml(200, "<A><Part><Size>many</Size></Part></A>"),
    ],
    ids=["unsupported", "object", "none", "short", "few", "malformed"],
)
def test_parts_that_nobody_tells_are_not_checked(
    place: Place, server: Server, tmp_path: Path, answer: httpx.Response
) -> None:
    server.replies = [stored("SHA256", b64(b"x" * 32) + "-3"), answer]
    download(place, tmp_path / "o", Pace())
    assert (tmp_path / "o").read_bytes() == TEN


def test_a_checksum_that_is_none_matches_nothing(
    place: Place, server: Server, tmp_path: Path
) -> None:
    server.replies = [stored("SHA256", "not base64!")]
    with pytest.raises(IntegrityError):
        download(place, tmp_path / "o", Pace())


@pytest.mark.parametrize("name", DIGESTS)
def test_an_upload_is_guarded_by_the_checksum_that_was_chosen(
    place: Place, server: Server, tmp_path: Path, name: str
) -> None:
    (tmp_path / "ten").write_bytes(TEN)
    server.replies = [ok(), ok(content_length="10", etag='"e"')]
    upload(tmp_path / "ten", place, Wish(), Pace(checksum=Checksum(name)))
    sent = server.requests[0].headers
    assert sent[f"x-amz-checksum-{name.lower()}"] == b64(DIGESTS[name](TEN))
    assert sent["x-amz-content-sha256"] == hashlib.sha256(TEN).hexdigest()


def test_parts_carry_the_checksum_and_are_completed_with_it(
    place: Place, server: Server, tmp_path: Path
) -> None:
    (tmp_path / "ten").write_bytes(TEN)
    name = "CRC64NVME"
    values = [b64(DIGESTS[name](part)) for part in (b"01234567", b"89")]
    server.replies = [
        xml(
            200,
            "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>",
        ),
        *(ok(etag='"p"', x_amz_checksum_crc64nvme=value) for value in values),
        xml(200, "<CompleteMultipartUploadResult/>"),
        ok(content_length="10", etag='"e-2"'),
    ]
    pace = Pace(parallel=1, limits=Limits(part=8), checksum=Checksum(name, whole=True))
    upload(tmp_path / "ten", place, Wish(), pace)
    start, first, second, complete, _ = server.requests
    assert start.headers["x-amz-checksum-algorithm"] == name
    assert start.headers["x-amz-checksum-type"] == "FULL_OBJECT"
    assert [r.headers["x-amz-checksum-crc64nvme"] for r in (first, second)] == values
    for value in values:
        assert f"<ChecksumCRC64NVME>{value}</ChecksumCRC64NVME>".encode() in complete.content


@pytest.mark.parametrize(
    ("word", "header"),
    [("crc32c", "crc32c"), ("CRC64N", "crc64nvme"), ("CRC32-FO", "crc32"), ("md5", "sha256")],
)
def test_checksums_are_called_as_in_mc(
    mcpy: Mcpy, server: Server, tmp_path: Path, word: str, header: str
) -> None:
    (tmp_path / "ten").write_bytes(TEN)
    server.replies = [ok(), ok(content_length="10", etag='"e"')]
    assert mcpy("cp", "--checksum", word, str(tmp_path / "ten"), "play/enc-1/o").exit_code == 0
    assert f"x-amz-checksum-{header}" in server.requests[0].headers
