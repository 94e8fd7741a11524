"""What a request may hold, whichever way it goes out, and its content as it goes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mcpy.api.failures import Failure
from mcpy.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mcpy.api.call import Outgoing

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"(?:[^\x00-\x20\x7f](?:[^\x00-\x08\x0a-\x1f\x7f]*[^\x00-\x20\x7f])?)?")
_TARGET = re.compile(r"[\x21-\x7e]+")
_HAVE_BODIES = {"POST", "PUT"}
# what says where a request ends and to whom it goes is nobody's to choose but the client's
_OURS = {
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "trailer",
    "transfer-encoding",
    "upgrade",
}


def tell_length(request: Outgoing) -> None:
    """Say how long the content is; where nobody knows, it goes out in chunks."""
    headers, content = request.headers, request.content
    if "content-length" in headers:
        return
    if not isinstance(content, bytes):
        headers["transfer-encoding"] = "chunked"
    elif content or request.method in _HAVE_BODIES:
        headers["content-length"] = str(len(content))


def check_own(name: str) -> None:
    """Raise InputError for a header that nobody may add to every request."""
    if name.lower() in _OURS:
        raise InputError(f"the header {name} cannot be set: requests depend on it")


def check(request: Outgoing) -> None:
    """Raise InputError for what cannot be sent; the message does not repeat what it holds."""
    if not _TARGET.fullmatch(request.target):
        raise InputError("the request names what no request can name")
    for name, value in request.headers.items():
        if not _NAME.fullmatch(name):
            raise InputError(f"{name!r} is not the name of a header")
        if not (_VALUE.fullmatch(value) and _is_text(value)):
            raise InputError(f"the header {name!r} holds what no header can hold")
    told = request.headers.get("content-length")
    if told is None:
        return
    if not (told.isascii() and told.isdecimal()):
        raise InputError("the length of the content is no number")
    if isinstance(request.content, bytes) and len(request.content) != int(told):
        raise InputError("the content is not as long as was told")


def _is_text(value: str) -> bool:
    """Whether it holds no half characters."""
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeError:
        return False
    return True


def pieces(request: Outgoing) -> Iterable[bytes]:
    """Return streamed content; where its length was told it is as long, or breaks off.

    Raises:
        Failure: as it is read, when it is longer or shorter.
    """
    content = [request.content] if isinstance(request.content, bytes) else request.content
    told = request.headers.get("content-length")
    return content if told is None else _counted(content, int(told))


def _counted(content: Iterable[bytes], left: int) -> Iterator[bytes]:
    for piece in content:
        left -= len(piece)
        if left < 0:
            break
        yield piece
    if left:
        # what was told cannot be taken back: the server has to see the connection end
        raise Failure("the content is not as long as was told")
