"""The messages an answer of S3 Select is made of.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html
"""

from __future__ import annotations

import struct
import zlib

_TEXT = 7
_PRELUDE_BYTES, _CRC_BYTES = 12, 4


def message(headers: dict[str, str], payload: bytes = b"") -> bytes:
    """Return one message: lengths, their CRC-32, headers, payload, the CRC-32 of all."""
    raw = b"".join(
        struct.pack(f">B{len(name)}sBH{len(value)}s", len(name), name, _TEXT, len(value), value)
        for name, value in ((n.encode(), v.encode()) for n, v in headers.items())
    )
    total = _PRELUDE_BYTES + len(raw) + len(payload) + _CRC_BYTES
    prelude = struct.pack(">II", total, len(raw))
    body = prelude + struct.pack(">I", zlib.crc32(prelude)) + raw + payload
    return body + struct.pack(">I", zlib.crc32(body))


def records(payload: bytes) -> bytes:
    """Return a message with a piece of the result."""
    return _event("Records", "application/octet-stream", payload)


def counts(kind: str, scanned: int, processed: int, returned: int) -> bytes:
    """Return a ``Progress`` or ``Stats`` message; all in bytes."""
    text = (
        f'<?xml version="1.0" encoding="UTF-8"?><{kind}><BytesScanned>{scanned}</BytesScanned>'
        f"<BytesProcessed>{processed}</BytesProcessed>"
        f"<BytesReturned>{returned}</BytesReturned></{kind}>"
    )
    return _event(kind, "text/xml", text.encode())


def end() -> bytes:
    """Return the last message of a result that is whole."""
    return message({":message-type": "event", ":event-type": "End"})


def error(code: str, text: str) -> bytes:
    """Return the last message of a result that is not whole."""
    return message({":error-code": code, ":error-message": text, ":message-type": "error"})


def _event(kind: str, content_type: str, payload: bytes) -> bytes:
    headers = {":message-type": "event", ":content-type": content_type, ":event-type": kind}
    return message(headers, payload)
