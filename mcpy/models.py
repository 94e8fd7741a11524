"""The nouns of the domain: aliases, targets, and the encryption of buckets and objects.

Values only: nothing here reads a file, an environment variable or a socket.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal, NewType

from mcpy.errors import InputError

KeyName = NewType("KeyName", str)
BucketName = NewType("BucketName", str)

Algorithm = Literal["AES256", "aws:kms"]
Scheme = Literal["sse-s3", "sse-kms"]

ALGORITHMS: dict[Scheme, Algorithm] = {"sse-s3": "AES256", "sse-kms": "aws:kms"}
BY_CALL = "mcpy.connect"
KMS_ARN_PREFIX = "arn:aws:kms:"

_ALIAS_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_BUCKET_NAME = re.compile(r"(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def is_loopback(host: str) -> bool:
    """Whether ``host`` is this machine: ``localhost``, or an address that never leaves it.

    A name that merely begins like one (``127.example.org``) is not.
    """
    from ipaddress import ip_address

    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True)
class KesProfile:
    """Where a KES is and who we are to it; either an API key, or a certificate and its key."""

    server: str = ""
    client_cert: str = ""
    client_key: str = ""
    api_key: str = field(default="", repr=False)
    ca: str = ""


@dataclass(frozen=True)
class Alias:
    """An endpoint with its credentials, under the name the user gave it.

    ``source`` says where it was found: the config file's path, the environment variable's
    name, or ``BY_CALL`` for a server that a program named itself.
    """

    name: str
    url: str
    access_key: str = ""
    secret_key: str = field(default="", repr=False)
    session_token: str = field(default="", repr=False)
    path: str = "auto"
    api: str = "s3v4"
    region: str = ""
    ca: str = ""
    kes: KesProfile | None = None
    source: str = ""

    @property
    def anonymous(self) -> bool:
        """Whether requests go out unsigned."""
        return not self.access_key


def check_alias_name(name: str) -> str:
    """Return ``name`` without a trailing slash.

    Raises:
        InputError: it is not a letter followed by letters, digits, ``_`` and ``-``.
    """
    bare = name.rstrip("/\\") if len(name) > 1 else name
    if not _ALIAS_NAME.fullmatch(bare):
        raise InputError(
            f"`{name}` is not an alias name: a letter, then letters, digits, `-` and `_`"
        )
    return bare


@dataclass(frozen=True)
class Target:
    """``ALIAS[/BUCKET[/KEY]]``: a place on a server; ``key`` may be a prefix."""

    alias: str
    bucket: str = ""
    key: str = ""

    @classmethod
    def parse(cls, text: str) -> Target:
        """Read ``ALIAS[/BUCKET[/KEY]]``; the key keeps every character after the second slash.

        Raises:
            InputError: there is no alias, or a name is one no server has.
        """
        if not text.isascii() and text.encode("utf-8", "replace").decode() != text:
            raise InputError(f"{text!r} is not valid UTF-8")
        alias, _, rest = text.partition("/")
        bucket, _, key = rest.partition("/")
        if not alias:
            raise InputError(f"`{text}` names no alias", hint="ALIAS/BUCKET[/KEY]")
        if bucket:
            check_bucket_name(bucket)
        elif key:
            raise InputError(f"`{text}` names no bucket", hint=f"{alias}/BUCKET/{key}")
        return cls(check_alias_name(alias), bucket, key)

    def __str__(self) -> str:
        return "/".join(part for part in (self.alias, self.bucket, self.key) if part)


def check_bucket_name(name: str) -> BucketName:
    """Return ``name`` when a server could have a bucket called so.

    Raises:
        InputError: it breaks S3's naming rules.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
    """
    if not _BUCKET_NAME.fullmatch(name) or ".." in name or ".-" in name or "-." in name:
        raise InputError(
            f"`{name}` is not a bucket name: 3-63 lower-case letters, digits, `-` and `.`"
        )
    return BucketName(name)


# https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#key-id-key-ARN
KEY_ARN = re.compile(r"arn:aws[a-zA-Z0-9-]*:kms:[a-z0-9-]+:\d{12}:key/[a-zA-Z0-9-]+")
_KEY_NAME = re.compile(r"(?!-)(?!.*-$)(?!_$)[0-9A-Za-z_-]{1,80}", re.DOTALL)


def check_key_name(name: str) -> KeyName:
    """Return ``name`` when KES could have a key called so.

    Raises:
        InputError: it is not 1-80 of ``0-9A-Za-z_-``, starts or ends with ``-``, or is ``_``.
    """
    if not _KEY_NAME.fullmatch(name):
        raise InputError(
            f"`{name}` is not a key name: 1-80 letters, digits, `-` and `_`, no `-` at either end"
        )
    return KeyName(name)


def check_key_id(key_id: str) -> str:
    """Return how S3 is to be told of a key: KES's name for it, or all of an AWS KMS ARN.

    What MinIO puts before a name when it is asked, ``arn:aws:kms:``, is taken and left out.

    Raises:
        InputError: it is neither.
    """
    if KEY_ARN.fullmatch(key_id):
        return key_id
    return check_key_name(key_id.removeprefix(KMS_ARN_PREFIX))


def bare_key_id(key_id: str) -> KeyName:
    """Strip what MinIO (``arn:aws:kms:``) and AWS (``...:REGION:ACCOUNT:key/``) put before it."""
    bare = key_id.removeprefix(KMS_ARN_PREFIX)
    return KeyName(bare.rpartition(":key/")[2] if ":key/" in bare else bare)


@dataclass(frozen=True)
class BucketEncryption:
    """The default a bucket encrypts new objects with.

    Attributes:
        algorithm: as on the wire; ``""`` for a rule that names none and so encrypts nothing.
        key_id: the KMS key as the server stores it; ``""`` with AES256.
        document: the server's XML, so that a change keeps what it does not know.
    """

    algorithm: str
    key_id: str = ""
    document: bytes = field(default=b"", repr=False, compare=False)

    @property
    def key(self) -> KeyName:
        """The key's name without the ARN prefix."""
        return bare_key_id(self.key_id)

    def same_as(self, other: BucketEncryption) -> bool:
        """Whether both ask for the same encryption, however the key is spelled."""
        return (self.algorithm, self.key) == (other.algorithm, other.key)


def scheme_of(algorithm: str) -> Literal["sse-s3", "sse-kms", "plain", "unknown"]:
    """Return what an algorithm on the wire means; ``aws:kms:dsse`` is SSE-KMS in two layers."""
    if algorithm == ALGORITHMS["sse-s3"]:
        return "sse-s3"
    if algorithm.startswith(ALGORITHMS["sse-kms"]):
        return "sse-kms"
    return "unknown" if algorithm else "plain"


@dataclass(frozen=True)
class CustomerKey:
    """A key that only its owner has (SSE-C): 32 bytes, never shown."""

    secret: bytes = field(repr=False)


@dataclass(frozen=True)
class ObjectEncryption:
    """How one object says it is encrypted, from the headers of a HEAD, GET or PUT.

    Attributes:
        algorithm: ``AES256``, ``aws:kms``, or ``""``.
        key_id: the KMS key as answered, with SSE-KMS.
        context: the client's KMS context, base64 JSON, with SSE-KMS.
        customer: whether the client holds the key (SSE-C).
        customer_key: that key, in a request.
    """

    algorithm: str = ""
    key_id: str = ""
    context: str = ""
    customer: bool = False
    customer_key: CustomerKey | None = field(default=None, repr=False, compare=False)

    @property
    def scheme(self) -> str:
        """``SSE-S3``, ``SSE-KMS``, ``SSE-C`` or ``""`` for none."""
        if self.customer:
            return "SSE-C"
        return {"AES256": "SSE-S3", "": ""}.get(self.algorithm, "SSE-KMS")
