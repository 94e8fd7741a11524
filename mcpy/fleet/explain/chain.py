"""The links of a chain: what seals what, where each lives, and what comes of losing the first.

MinIO's is known in full: KES seals a data key, which with the object's place makes a key that
seals the object's own key, which encrypts the object. Of other servers only what they say is told.

Source: minio/minio internal/crypto, docs/security; KES server API.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from mcpy.models import Target

Kind = Literal["minio", "aws", "other"]
Scheme = Literal["sse-s3", "sse-kms", "sse-c", "plain", "unknown"]
_META = "in the object's metadata"


@dataclass(frozen=True)
class Stage:
    """One link: its short name, what it is, where it lives, and what it does to the next."""

    name: str
    what: str
    lives: str
    does: str = ""


@dataclass(frozen=True)
class Facts:
    """What a server says.

    Attributes:
        kind: whose chain it is.
        default_key: the server's default key, ``""`` where it has none or does not tell.
        key: the key at the top of the chain, ``""`` where nobody tells.
        key_problem: why that key does not work now; ``""`` when it does.
        key_tried: whether the server could be asked.
        lacks: the rights without which the server tells nothing of its keys.
        built_in: whether the KMS is a key in the server's own settings, and no KES.
    """

    kind: Kind
    default_key: str = ""
    key: str = ""
    key_problem: str = ""
    key_tried: bool = False
    lacks: str = ""
    built_in: bool = False

    @property
    def is_default(self) -> bool:
        """Whether the chain hangs on the server's default key, as far as anybody tells."""
        return bool(self.default_key) and self.key in {self.default_key, ""}


def stages(
    scheme: Scheme, facts: Facts, target: Target, *, parts: bool = False, context: str = ""
) -> tuple[Stage, ...]:
    """Return the chain from its top to the object; empty where nothing is encrypted or known."""
    if scheme in {"plain", "unknown"}:
        return ()
    if facts.kind != "minio":
        return _elsewhere(scheme, facts)
    place = f"{target.bucket}/{target.key or '...'}"
    top = _client_key() if scheme == "sse-c" else _kes_keys(facts, place, context)
    ones = "its parts, each with a key made from it" if parts else "it, 64 KiB at a time"
    return (
        *top,
        Stage("KEK", f"made anew from the key above, a random IV and `{place}`",
              "nowhere: made when it is needed", "seals the OEK"),
        Stage("OEK", "the object's own key, 32 random bytes",
              f"sealed, {_META}", f"encrypts {ones} (DARE 2.0), and its ETag"),
        Stage("object", "the content", "on the server's drives, as ciphertext"),
    )  # fmt: skip


def _client_key() -> tuple[Stage, ...]:
    return (
        Stage("client key", "32 bytes that the client sends with each request",
              "with the client alone: no server and no KMS keeps it", "makes the KEK"),
    )  # fmt: skip


def _kes_keys(facts: Facts, place: str, context: str) -> tuple[Stage, ...]:
    bucket = place.partition("/")[0]
    bound = f'{{"{bucket}":"{place}"}}' + (f" and {context}" if context else "")
    name = f"`{facts.key}`" if facts.key else "the key that was the server's default then"
    lives = "in the keystore behind KES, and never outside KES"
    if facts.built_in:
        lives = "in the server's own settings (MINIO_KMS_SECRET_KEY), beside what it protects"
    return (
        Stage("EK", name, lives, f"seals the DEK, bound to {bound}"),
        Stage(
            "DEK",
            "a data key of this object alone, 32 random bytes",
            f"sealed, {_META}; in the clear only in the server's memory",
            "makes the KEK",
        ),
    )


def _elsewhere(scheme: Scheme, facts: Facts) -> tuple[Stage, ...]:
    """Return what is known of any server that keeps to the S3 API, and of AWS what it documents.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
    """
    data = Stage("object", "the content", "on the server, as it says encrypted")
    untold = "encrypts the object, in a way the server does not tell"
    if scheme == "sse-c":
        (key,) = _client_key()
        return replace(key, does=untold), data
    name = f"`{facts.key}`" if facts.key else "a key that the server keeps and does not name"
    if facts.kind != "aws":
        return Stage("server key", name, "with the server, or in its KMS", untold), data
    if scheme == "sse-s3":
        return Stage("server key", name, "with Amazon S3, out of anybody's reach", untold), data
    return (
        Stage("KMS key", name, "in AWS KMS, and never outside it", "seals the data key"),
        Stage(
            "data key",
            "of this object, or with a bucket key of several",
            "sealed, beside the object",
            "encrypts the object",
        ),
        data,
    )


def notes(scheme: Scheme, facts: Facts, *, new: bool = False) -> tuple[str, ...]:
    """Return what a reader of the chain has to know beside it; ``new`` of a bucket's default."""
    found = []
    if new:
        found.append(
            "this is so for objects written from now on that ask for nothing else; those that are "
            "there say themselves: mcpy encrypt audit"
        )
    if scheme == "plain":
        found.append("nothing encrypts it: whoever has the drives reads it")
        if new and facts.kind == "minio":
            found.append("a server with MINIO_KMS_AUTO_ENCRYPTION=on encrypts by SSE-KMS then")
    if scheme == "sse-s3" and facts.kind == "minio" and not new:
        now = f": now that is `{facts.default_key}`" if facts.default_key else ""
        found.append(f"no server tells which key an SSE-S3 object was sealed with{now}")
    if facts.kind == "other":
        found.append("this server is not known as MinIO: how it encrypts is its own affair")
    if facts.lacks and scheme in {"sse-s3", "sse-kms"}:
        found.append(f"whether the key works was not told: {facts.lacks} needed")
    if scheme not in {"plain", "unknown"}:
        found.append("this is what the server says; what is on its drives nobody outside can see")
    return tuple(found)


def on_lock(
    scheme: Scheme, facts: Facts, *, new: bool = False, parts: bool = False
) -> tuple[str, ...]:
    """Return what locking the key would do; measured on MinIO and KES."""
    if scheme not in {"sse-s3", "sse-kms"} or facts.kind != "minio" or facts.built_in:
        return ()
    read = "uploads fail" if new else "reading it fails; HEAD still answers, with all its headers"
    found = [f"{read} (KES may use the key for a while yet, from its cache)"]
    if scheme == "sse-s3" and not parts:
        found.append("every listing that such an object is on fails as a whole")
    if facts.is_default:
        found.append("the server's health check fails, and it does not start")
    return (*found, "unlocking brings all of it back")


def on_delete(scheme: Scheme, facts: Facts, *, new: bool = False) -> tuple[str, ...]:
    """Return what deleting the key would do."""
    if scheme == "sse-c":
        return ("whoever loses the client key has lost the object: no KMS can help",)
    if scheme not in {"sse-s3", "sse-kms"} or facts.kind == "other":
        return ()
    if facts.kind == "aws" and scheme == "sse-s3":
        return ()  # Amazon's own key: nobody can delete it
    what = "what was written so is" if new else "the object is"
    found = [f"{what} unreadable for ever; a new key of the same name does not help"]
    if facts.kind == "minio" and facts.is_default and not facts.built_in:
        found.append("when it starts, the server makes a new default key, and says nothing")
    return tuple(found)
