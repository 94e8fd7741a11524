"""Faults as they are asked for: ``NAME[=VALUE][@WHERE][:SHARE]``.

WHERE is a server, a method, a path with wildcards, or several of them without a space: ``@kes``,
``@PUT``, ``@/bucket/*``, ``@PUT/bucket/*``, ``@kes/v1/key/decrypt/*``, ``@kes.POST``. A path is
compared with and without its query, as it is decoded. Without a server it is S3's.
SHARE is the share of the requests that match (``:0.1``), or how many from now on (``:1x``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from mcpy.errors import InputError

if TYPE_CHECKING:
    from mcpy.sandbox.message import Request


class Kind(NamedTuple):
    """One kind of fault.

    Attributes:
        about: what it does, for people.
        unit: of its value: ``seconds``, ``bytes``, ``bytes/s``, ``name``; empty if it has none.
        default: the value if none is given; None if one must be.
    """

    about: str
    unit: str = ""
    default: float | str | None = 0


KINDS = {
    # an answer that is late, or none
    "delay": Kind("the answer begins later", "seconds", 1.0),
    "slow": Kind("the body comes slowly", "bytes/s", 50.0),
    "hang": Kind("the request is read and never answered"),
    # a connection that breaks
    "close": Kind("closed without an answer, and nothing is done"),
    "reset": Kind("reset without an answer, and nothing is done"),
    "lost": Kind("all is done, and the answer is lost: the connection is reset"),
    "cut": Kind("reset while the request's body is read, after so much of it", "bytes", 0.0),
    "reset-mid": Kind(
        "the answer breaks off with a reset after so much of its body", "bytes", -1.0
    ),
    "truncate": Kind("the answer ends early, after so much of its body", "bytes", -1.0),
    # an answer that refuses
    "busy": Kind("503 with Retry-After, and nothing is done", "seconds", 1.0),
    "limited": Kind("429 with Retry-After, and nothing is done", "seconds", 1.0),
    "broken": Kind("500 with a page of HTML, and nothing is done"),
    "forbidden": Kind("403 with a page of HTML, as from a proxy; nothing is done"),
    "full": Kind("uploads are refused for want of space; reads and deletions work"),
    # an answer that is none
    "badbody": Kind("all is done, and half of the body is answered as if it were whole"),
    "emptybody": Kind("nothing is done, and 200 without a body is answered"),
    "emptyjson": Kind("nothing is done, and 200 with `{}` is answered"),
    "huge": Kind("200 and a listing that does not end, up to 300 MiB; nothing is done"),
    "hugeheader": Kind("200 with a header of 4 MiB; nothing is done"),
    "redirect": Kind("307 to the same place; nothing is done"),
    "garbage": Kind("bytes that are not HTTP; nothing is done"),
    # the keys
    "kes-down": Kind("the KES does not listen"),
    "key-lost": Kind("the KES has no such key any more", "name", None),
}
WHOLE = frozenset({"kes-down", "key-lost"})
"""Faults of the sandbox as a whole, not of some requests: they take no WHERE and no SHARE."""
_S3_ONLY = frozenset({"full"})
_FAULT = re.compile(
    r"(?P<name>[a-z-]+)(?:=(?P<value>[^@:]*))?(?:@(?P<where>.*?))?(?::(?P<share>[^:/@]*))?"
)
_WHERE = re.compile(r"(?P<server>s3|kes)?\.?(?P<method>[A-Z]+)?(?P<path>/.*)?")
_METHODS = ("GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS")
_UNITS: dict[str, dict[str, float]] = {
    "seconds": {"": 1, "s": 1, "ms": 0.001, "m": 60},
    "bytes": {"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30},
}
_UNITS["bytes/s"] = _UNITS["bytes"]
_EXAMPLES = "for example busy, reset@PUT:0.1, delay=200ms@/bucket/*, key-lost=my-key"


@dataclass(frozen=True)
class Fault:
    """One fault that is asked for.

    Attributes:
        text: as it was written.
        value: seconds, bytes or bytes a second; -1 for half of the body.
        key: the value of one that takes a name.
        server: ``s3`` or ``kes``.
        method: empty for any.
        path: pattern, empty for any.
        share: of the requests that match.
        times: how often at most, None for no limit.
    """

    text: str
    name: str
    value: float = 0
    key: str = ""
    server: str = "s3"
    method: str = ""
    path: str = ""
    share: float = 1
    times: int | None = None

    def matches(self, server: str, request: Request) -> bool:
        """Tell whether a request to ``server`` may meet this fault."""
        if self.name in WHOLE or server != self.server:
            return False
        if self.method and self.method != request.method:
            return False
        if self.name == "full" and request.method not in {"PUT", "POST"}:
            return False
        whole = f"{request.path}?{request.raw_query}"
        return not self.path or any(fnmatchcase(text, self.path) for text in (request.path, whole))


def parse(text: str) -> Fault:
    """Read one fault.

    Raises:
        InputError: it is none.
    """
    match = _FAULT.fullmatch(text.strip())
    if match is None or match["name"] not in KINDS:
        known = ", ".join(KINDS)
        raise InputError(
            f"`{text}` is no fault of the sandbox", hint=f"one of {known}; {_EXAMPLES}"
        )
    name = match["name"]
    if name in WHOLE and (match["where"] or match["share"]):
        raise InputError(f"`{name}` is about all requests: it takes no `@` and no `:`")
    value, key = _value(name, match["value"])
    server, method, path = _where(text, match["where"])
    if name in _S3_ONLY and server != "s3":
        raise InputError(f"`{name}` is a fault of the S3 server")
    share, times = _share(text, match["share"])
    return Fault(text.strip(), name, value, key, server, method, path, share, times)


def _value(name: str, text: str | None) -> tuple[float, str]:
    kind = KINDS[name]
    if not kind.unit:
        if text is not None:
            raise InputError(f"the fault `{name}` takes no value")
        return 0, ""
    if kind.unit == "name":
        if not text:
            raise InputError(f"the fault `{name}` needs a name", hint=f"{name}=my-key")
        return 0, text
    if text is None:
        return float(kind.default or 0), ""
    number = re.fullmatch(r"(\d{1,15}(?:\.\d+)?)([A-Za-z]*)", text)
    factor = _UNITS[kind.unit].get(number[2]) if number else None
    if number is None or factor is None:
        units = ", ".join(unit for unit in _UNITS[kind.unit] if unit)
        raise InputError(
            f"`{text}` is not a number of {kind.unit}", hint=f"a number, or with {units}"
        )
    return float(number[1]) * factor, ""


def _where(text: str, where: str | None) -> tuple[str, str, str]:
    match = _WHERE.fullmatch(where or "")
    if match is None or where == "":
        raise InputError(
            f"`{text}` does not say where", hint="@PUT, @/bucket/*, @kes, @kes.POST/v1/key/*"
        )
    if match["method"] and match["method"] not in _METHODS:
        raise InputError(
            f"`{text}` is about no request: `{match['method']}` is no method",
            hint=f"one of {', '.join(_METHODS)}",
        )
    return match["server"] or "s3", match["method"] or "", match["path"] or ""


def _share(text: str, share: str | None) -> tuple[float, int | None]:
    if share is None:
        return 1, None
    if re.fullmatch(r"[1-9]\d{0,8}x", share):
        return 1, int(share[:-1])
    if re.fullmatch(r"0?\.\d+|1(\.0+)?", share) and float(share) > 0:
        return float(share), None
    raise InputError(
        f"`{text}` does not say how often", hint=":0.1 for a tenth of the requests, :1x for one"
    )
