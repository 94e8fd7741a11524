"""Undoes the content encoding of an answer, a bounded piece at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcpy.errors import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ACCEPTED = "gzip, deflate"
_PIECE_BYTES = 64 * 1024
_MOST = 4
_GZIP, _ZLIB, _RAW = 16 + 15, 15, -15


def decoded(chunks: Iterable[bytes], encodings: str) -> Iterable[bytes]:
    """Return the body behind ``encodings``, as its header names them; others stay as they are.

    Raises:
        ProtocolError: there are too many of them; as it is read, when it is not of that encoding,
            breaks off, or goes on after its end.
    """
    names = [name.strip().lower() for name in encodings.split(",")]
    if len(names) > _MOST:
        raise ProtocolError(f"an answer with more than {_MOST} content encodings")
    for name in reversed(names):
        if name in {"gzip", "x-gzip"}:
            chunks = _inflated(chunks, _GZIP)
        elif name == "deflate":
            chunks = _inflated(chunks, _ZLIB)
    return chunks


def _inflated(chunks: Iterable[bytes], wbits: int) -> Iterator[bytes]:
    import zlib

    machine = None
    try:
        for chunk in chunks:
            left = chunk
            while left:
                if machine and machine.eof and wbits != _GZIP:
                    raise ProtocolError("an answer that goes on after its content encoding")
                if machine is None or machine.eof:  # gzip may come in several members
                    machine = zlib.decompressobj(_found(left, wbits))
                yield machine.decompress(left, _PIECE_BYTES)
                left = machine.unused_data if machine.eof else machine.unconsumed_tail
        if machine:
            yield machine.flush()
    except zlib.error as e:
        raise ProtocolError("an answer with a broken content encoding") from e
    if machine and not machine.eof:
        raise ProtocolError("an answer whose content encoding breaks off")


def _found(chunk: bytes, wbits: int) -> int:
    """Return how a body begins: some servers send `deflate` without the head of zlib."""
    return _RAW if wbits == _ZLIB and chunk[0] & 0x0F != 8 else wbits
