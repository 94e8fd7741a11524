"""``aws-chunked`` bodies: the examples of the S3 guide, and bodies that must not pass."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest

from mcpy.sandbox.message import Request
from mcpy.sandbox.s3 import auth
from mcpy.sandbox.s3.chunked import ChunkedPayload, Payload, PlainPayload, drain
from mcpy.sandbox.s3.errors import S3Problem

KEYS = {"AKIAIOSFODNN7EXAMPLE": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}
NOW = datetime(2013, 5, 24, tzinfo=UTC)
DATA = b"a" * 66560
SIGNATURES = (
    "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
    "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
    "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
)
TRAILER_SIGNATURES = (
    "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
    "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
    "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
)
TRAILERS = (
    b"x-amz-checksum-crc32c:sOO8/Q==\r\n"
    b"x-amz-trailer-signature:"
    b"d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"
)


def encoded(signatures: tuple[str, ...] = SIGNATURES, end: bytes = b"\r\n") -> bytes:
    chunks = (DATA[:65536], DATA[65536:], b"")
    lines = [
        b"%x;chunk-signature=%s\r\n%s" % (len(chunk), signature.encode(), chunk)
        for chunk, signature in zip(chunks, signatures, strict=True)
    ]
    return b"\r\n".join(lines) + end


def guide(body: bytes, *, trailer: bool = False) -> Payload:
    """Authenticate the guide's PUT of chunkObject.txt and return its body."""
    more = {
        "x-amz-content-sha256": auth.STREAMING_TRAILER if trailer else auth.STREAMING,
        "content-encoding": "aws-chunked",
        "x-amz-decoded-content-length": "66560",
        "x-amz-storage-class": "REDUCED_REDUNDANCY",
        "x-amz-date": "20130524T000000Z",
        "host": "s3.amazonaws.com",
    }
    more |= {"x-amz-trailer": "x-amz-checksum-crc32c"} if trailer else {"content-length": "66824"}
    signature = (
        "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
        if trailer
        else "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
    )
    headers = more | {
        "authorization": "AWS4-HMAC-SHA256 "
        "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
        f"SignedHeaders={';'.join(sorted(more))},Signature={signature}"
    }
    asked = Request(
        "PUT", "/examplebucket/chunkObject.txt", "", headers, io.BytesIO(body), len(body)
    )
    return auth.payload(asked, auth.authenticate(asked, KEYS, NOW))


@pytest.mark.parametrize("size", [-1, 1000, 65536, 66560, 100_000])
def test_the_chunked_example_of_the_s3_guide_is_decoded(size: int) -> None:
    body = guide(encoded())
    parts = []
    while part := body.read(size):
        parts.append(part)
    assert b"".join(parts) == DATA
    assert body.length == len(DATA)


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n\r\n"])
def test_the_trailer_example_of_the_s3_guide_is_decoded(line_end: bytes) -> None:
    trailers = TRAILERS.replace(b"\r\n", line_end, 1)
    body = guide(encoded(TRAILER_SIGNATURES, trailers), trailer=True)
    assert body.read() == DATA
    assert body.trailers == {"x-amz-checksum-crc32c": "sOO8/Q=="}


@pytest.mark.parametrize(
    ("code", "body"),
    [
        ("SignatureDoesNotMatch", encoded().replace(b"ad80", b"ad81", 1)),
        ("SignatureDoesNotMatch", encoded().replace(b"aaaa", b"aaab", 1)),
        ("SignatureDoesNotMatch", encoded().replace(b"b6c6", b"b6c7", 1)),
        ("IncompleteBody", encoded()[:65536]),
        ("IncompleteBody", encoded()[:-92]),
        ("BadRequest", encoded().replace(b"10000;", b"0x1000;", 1)),
        ("BadRequest", encoded().replace(b"10000;", b"10000001;", 1)),
        ("BadRequest", encoded().replace(b";chunk-signature=", b";signature=", 1)),
        ("BadRequest", b"5000\r\n" + encoded()),
        ("BadRequest", b"0" * 5000),
        ("IncompleteBody", b""),
    ],
)
def test_a_changed_signed_body_is_refused(code: str, body: bytes) -> None:
    with pytest.raises(S3Problem) as raised:
        guide(body).read()
    assert raised.value.code == code


def test_a_reader_of_exactly_the_announced_length_still_sees_the_last_signature_checked() -> None:
    body = guide(encoded().replace(b"b6c6", b"b6c7", 1))
    with pytest.raises(S3Problem, match="SignatureDoesNotMatch"):
        body.read(len(DATA))


@pytest.mark.parametrize(
    ("code", "old", "new"),
    [
        ("SignatureDoesNotMatch", b"sOO8", b"sOO9"),
        ("SignatureDoesNotMatch", b"d81f", b"d81e"),
        ("BadRequest", b"x-amz-checksum-crc32c:", b"x-amz-checksum-crc32:"),
        ("BadRequest", b"x-amz-checksum-crc32c:", b"x-amz-checksum-crc32c"),
        ("IncompleteBody", b"x-amz-checksum-crc32c:sOO8/Q==\r\n", b""),
        ("IncompleteBody", TRAILERS, b""),
        ("BadRequest", b"e435\r\n\r\n", b"e435\r\nmore\r\n"),
    ],
)
def test_a_changed_trailer_is_refused(code: str, old: bytes, new: bytes) -> None:
    body = encoded(TRAILER_SIGNATURES, TRAILERS).replace(old, new)
    with pytest.raises(S3Problem) as raised:
        guide(body, trailer=True).read()
    assert raised.value.code == code


def unsigned(body: bytes, length: int, *names: str) -> ChunkedPayload:
    return ChunkedPayload(io.BytesIO(body), length, signer=None, announced=frozenset(names))


def test_an_unsigned_body_is_decoded_with_its_trailers() -> None:
    body = unsigned(b"3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum:1\r\n\r\n", 5, "x-sum")
    assert body.read() == b"abcde"
    assert body.trailers == {"x-sum": "1"}


@pytest.mark.parametrize(
    ("code", "body", "length"),
    [
        ("ExcessData", b"3\r\nabc\r\n0\r\nx-sum:1\r\n\r\n", 2),
        ("IncompleteBody", b"3\r\nabc\r\n0\r\nx-sum:1\r\n\r\n", 4),
        ("IncompleteBody", b"3\r\nabc\r\n0\r\nx-sum:1", 3),
        ("BadRequest", b"3\r\nabcd\r\n0\r\nx-sum:1\r\n\r\n", 3),
        ("BadRequest", b"3;chunk-signature=a\r\nabc\r\n0\r\nx-sum:1\r\n\r\n", 3),
        ("BadRequest", b"\r\nabc\r\n0\r\nx-sum:1\r\n\r\n", 3),
    ],
)
def test_a_wrong_unsigned_body_is_refused(code: str, body: bytes, length: int) -> None:
    with pytest.raises(S3Problem) as raised:
        unsigned(body, length, "x-sum").read()
    assert raised.value.code == code


def test_a_body_cut_off_is_not_taken_for_its_end() -> None:
    with pytest.raises(S3Problem, match="IncompleteBody"):
        PlainPayload(io.BytesIO(b"abc"), 5, sha256=None).read(5)


def test_a_body_of_unknown_length_is_read_to_its_end() -> None:
    body = PlainPayload(io.BytesIO(b"abc"), None, sha256=None)
    taken: list[bytes] = []
    assert drain(body, taken.append) == 3
    assert taken == [b"abc"]
