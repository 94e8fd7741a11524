"""The file of ``encrypt plan``: what keys and buckets should be, in TOML.

    [keys."prod/finance"]             a key in the KMS of the alias `prod`
    create = true                     make it when it is missing

    [buckets."prod/invoices"]         a bucket, or a pattern such as "prod/*"
    encryption = "sse-kms"            what new objects are encrypted by: sse-s3, sse-kms or none
    key = "finance"                   with sse-kms
    require = "sse-kms:finance"       what every object there has to be
    uploads = "same-or-default"       what a bucket policy lets in

What a table does not say is left as it is. The file holds no secret: servers are named by alias.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from mcpy.errors import ConfigError, InputError
from mcpy.fleet.audit.requirement import Requirement
from mcpy.models import (
    ALGORITHMS,
    BucketEncryption,
    KeyName,
    Scheme,
    check_alias_name,
    check_bucket_name,
    check_key_id,
    check_key_name,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Uploads = Literal["any", "same-or-default", "same"]
UPLOADS: tuple[Uploads, ...] = ("any", "same-or-default", "same")
NONE = BucketEncryption("")
_SCHEMES: tuple[Scheme, ...] = ("sse-s3", "sse-kms")
_FIELDS: dict[str, dict[str, type]] = {
    "keys": {"create": bool},
    "buckets": {"encryption": str, "key": str, "require": str, "uploads": str},
}
_WILDCARDS = re.compile(r"[*?[]")
_BARE = re.compile(r"\s*([A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*')\s*[=.]")


@dataclass(frozen=True)
class WantedKey:
    """A key that has to be there; with ``create`` it is made when it is not."""

    alias: str
    name: KeyName
    create: bool = False


@dataclass(frozen=True)
class WantedBucket:
    """What a bucket, or each that a pattern matches, should be; None is left as it is.

    ``encryption`` is ``NONE`` where the default has to be cleared.
    """

    alias: str
    bucket: str
    encryption: BucketEncryption | None = None
    require: Requirement | None = None
    uploads: Uploads | None = None

    @property
    def pattern(self) -> bool:
        """Whether it stands for several buckets."""
        return bool(_WILDCARDS.search(self.bucket))

    def matches(self, alias: str, bucket: str) -> bool:
        """Whether it speaks of this bucket."""
        return self.alias == alias and fnmatchcase(bucket, self.bucket)

    def __str__(self) -> str:
        return f"{self.alias}/{self.bucket}"


@dataclass(frozen=True)
class Desired:
    """All that a file says."""

    keys: tuple[WantedKey, ...] = ()
    buckets: tuple[WantedBucket, ...] = ()

    @property
    def aliases(self) -> list[str]:
        """The aliases it speaks of, in its order."""
        return list(dict.fromkeys([e.alias for e in self.keys] + [e.alias for e in self.buckets]))

    def creates(self, alias: str, key: str) -> bool:
        """Whether the file has this key made when it is missing."""
        return any(k.create and (k.alias, k.name) == (alias, key) for k in self.keys)


def read(text: str, where: str) -> Desired:
    """Read a file.

    Raises:
        ConfigError: it is not TOML, or says something that is not known or cannot be; the line is
            named where it can be found.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        raise ConfigError(f"{where} is not TOML: {str(e).lower()}") from e
    reader = _Reader(text, where)
    reader.check_names((), document, _FIELDS)
    desired = Desired(tuple(reader.keys(document)), tuple(reader.buckets(document)))
    if not (desired.keys or desired.buckets):
        raise ConfigError(
            f"{where} names no key and no bucket", hint="mcpy encrypt plan --export ALIAS"
        )
    return desired


class _Reader:
    """Reads tables, and knows on which line each stands."""

    def __init__(self, text: str, where: str) -> None:
        self._text = text
        self._where = where

    def keys(self, document: Mapping[str, Any]) -> Iterator[WantedKey]:
        for path, table in self._tables(document, "keys"):
            alias, name = self._alias_and_name(path)
            try:
                yield WantedKey(alias, check_key_name(name), table.get("create", False))
            except InputError as e:
                self._fail(path, "", str(e))

    def buckets(self, document: Mapping[str, Any]) -> Iterator[WantedBucket]:
        for path, table in self._tables(document, "buckets"):
            alias, name = self._alias_and_name(path)
            try:
                if not _WILDCARDS.search(name):
                    check_bucket_name(name)
            except InputError as e:
                self._fail(path, "", str(e))
            wanted = WantedBucket(
                alias,
                name,
                self._encryption(path, table),
                self._requirement(path, table),
                self._uploads(path, table),
            )
            if wanted.uploads not in {None, "any"} and not (wanted.encryption or NONE).algorithm:
                self._fail(path, "uploads", "`uploads` needs `encryption`, to say what is let in")
            yield wanted

    def check_names(
        self, path: tuple[str, ...], table: Mapping[str, Any], known: Mapping[str, Any]
    ) -> None:
        """Refuse what is not known: a typo must not pass for something left as it is."""
        for name in table:
            if name in known:
                continue
            near = get_close_matches(name, known, n=1)
            meant = f": did you mean `{near[0]}`?" if near else f" (known: {', '.join(known)})"
            self._fail(path, name, f"nothing is called `{name}` here{meant}")

    def _tables(
        self, document: Mapping[str, Any], kind: str
    ) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
        tables = document.get(kind, {})
        if not isinstance(tables, dict):
            self._fail((), kind, f'`{kind}` is not a table: [{kind}."ALIAS/NAME"]')
        for name, table in tables.items():
            path = (kind, name)
            if not isinstance(table, dict) or (kind == "keys" and "/" not in name):
                self._fail(path, "", f'a table is called [{kind}."ALIAS/NAME"]')
            self.check_names(path, table, _FIELDS[kind])
            for field, value in table.items():
                if type(value) is not _FIELDS[kind][field]:
                    word = "true or false" if _FIELDS[kind][field] is bool else "a text in quotes"
                    self._fail(path, field, f"`{field}` is not {word}")
            yield path, table

    def _alias_and_name(self, path: tuple[str, ...]) -> tuple[str, str]:
        kind, text = path
        alias, slash, name = text.partition("/")
        if not slash or not name or (kind == "buckets" and "/" in name):
            self._fail(path, "", f"`{text}` is not ALIAS/NAME: an encryption is a bucket's")
        try:
            return check_alias_name(alias), name
        except InputError as e:
            self._fail(path, "", str(e))

    def _encryption(
        self, path: tuple[str, ...], table: Mapping[str, Any]
    ) -> BucketEncryption | None:
        scheme, key = table.get("encryption"), table.get("key", "")
        if scheme not in {None, "none", *_SCHEMES}:
            self._fail(path, "encryption", f"`{scheme}` is not sse-s3, sse-kms or none")
        if bool(key) != (scheme == "sse-kms"):
            field = "key" if key else "encryption"
            self._fail(path, field, '`key` and `encryption = "sse-kms"` go together')
        if scheme in {None, "none"}:
            return NONE if scheme else None
        try:
            return BucketEncryption(ALGORITHMS[scheme], check_key_id(key) if key else "")
        except InputError as e:
            self._fail(path, "key", str(e))

    def _requirement(self, path: tuple[str, ...], table: Mapping[str, Any]) -> Requirement | None:
        if "require" not in table:
            return None
        try:
            return Requirement.parse(table["require"])
        except InputError as e:
            self._fail(path, "require", str(e))

    def _uploads(self, path: tuple[str, ...], table: Mapping[str, Any]) -> Uploads | None:
        said = table.get("uploads")
        if said is not None and said not in UPLOADS:
            self._fail(path, "uploads", f"`{said}` is not {', '.join(UPLOADS[:-1])} or same")
        return next((known for known in UPLOADS if known == said), None)

    def _fail(self, path: tuple[str, ...], field: str, problem: str) -> NoReturn:
        line = line_of(self._text, path, field)
        table = ".".join([path[0], f'"{path[1]}"']) if path else ""
        place = f"{self._where}, line {line}" if line else self._where
        raise ConfigError(f"{place}: {f'[{table}] ' if table else ''}{problem}")


def line_of(text: str, path: tuple[str, ...], field: str) -> int:
    """Return the line on which a field of a table stands, else the table's, else 0."""
    wanted = (*path, field) if field else path
    current: tuple[str, ...] = ()
    table = 0
    for number, line in enumerate(text.splitlines(), 1):
        here = current
        if line.lstrip().startswith("["):
            here = current = _header(line)
        elif name := _BARE.match(line):
            here = (*current, name[1].strip("\"'"))
        if here[: len(wanted)] == wanted:
            return number
        if path and here[: len(path)] == path and not table:
            table = number
    return table


def _header(line: str) -> tuple[str, ...]:
    """Return the names in a table's header; none where it is not one."""
    try:
        inner: Any = tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return ()
    path: list[str] = []
    while inner:
        inner = inner[0] if isinstance(inner, list) else inner
        name = next(iter(inner))
        path.append(name)
        inner = inner[name]
    return tuple(path)
