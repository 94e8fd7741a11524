"""``mcpy encrypt set``, ``info`` and ``clear``: the default encryption of buckets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli.app import pass_app
from mcpy.cli.base import Command
from mcpy.cli.many import buckets_of, for_each, jobs_option
from mcpy.cli.params import BUCKETS
from mcpy.errors import InputError, NotFoundError
from mcpy.models import ALGORITHMS, KEY_ARN, BucketEncryption, check_key_id

if TYPE_CHECKING:
    from mcpy.cli.app import App
    from mcpy.fleet.default_encryption import DefaultSet
    from mcpy.models import Scheme, Target


def _scheme(encryption: BucketEncryption) -> str:
    names: dict[str, str] = {algorithm: scheme for scheme, algorithm in ALGORITHMS.items()}
    return names.get(encryption.algorithm, encryption.algorithm)


def _fields(encryption: BucketEncryption) -> dict[str, str]:
    found = {"algorithm": _scheme(encryption)}
    return found | ({"keyId": encryption.key} if encryption.key_id else {})


def _words(encryption: BucketEncryption) -> str:
    return _scheme(encryption) + (f" with key `{encryption.key}`" if encryption.key_id else "")


@dataclass(frozen=True)
class EncryptionSet:
    """What ``encrypt set`` did."""

    target: Target
    outcome: DefaultSet

    def data(self) -> dict[str, Any]:
        """Return mc's fields, the key, and what stays as it is."""
        found: dict[str, Any] = {
            "op": "set",
            "status": "success",
            "url": str(self.target),
            "encryption": _fields(self.outcome.encryption),
            "changed": self.outcome.changed,
        }
        if self.outcome.previous:
            found["previous"] = _fields(self.outcome.previous)
        if self.outcome.existing:
            found["existingObjects"] = self.outcome.existing.count
            found["existingObjectsComplete"] = self.outcome.existing.complete
        return found

    def text(self) -> str:
        """Return one line, and one for the objects that stay as they are."""
        wanted = _words(self.outcome.encryption)
        if not self.outcome.changed:
            return f"`{self.target}` encrypts new objects by {wanted} already."
        before = self.outcome.previous
        instead = f", and no longer by {_words(before)}" if before else ""
        line = f"`{self.target}` encrypts new objects by {wanted} from now on{instead}."
        existing = self.outcome.existing
        if not existing or not existing.count:
            return line
        count = f"{existing.count}" if existing.complete else f"More than {existing.count}"
        plural = (
            "object that was there stays as it is"
            if count == "1"
            else ("objects that were there stay as they are")
        )
        return f"{line}\n{count} {plural}."


@dataclass(frozen=True)
class EncryptionInfo:
    """The default encryption of a bucket."""

    target: Target
    encryption: BucketEncryption

    def data(self) -> dict[str, Any]:
        """Return mc's fields."""
        found = {"algorithm": self.encryption.algorithm}
        found |= {"keyId": self.encryption.key_id} if self.encryption.key_id else {}
        return {"op": "info", "status": "success", "url": str(self.target), "encryption": found}

    def text(self) -> str:
        """Return one line."""
        return f"`{self.target}` encrypts new objects by {_words(self.encryption)}."


@dataclass(frozen=True)
class EncryptionCleared:
    """What ``encrypt clear`` did."""

    target: Target
    changed: bool

    def data(self) -> dict[str, Any]:
        """Return mc's fields."""
        return {
            "op": "clear",
            "status": "success",
            "url": str(self.target),
            "encryption": {"algorithm": ""},
            "changed": self.changed,
        }

    def text(self) -> str:
        """Return what changed, and what did not."""
        if not self.changed:
            return f"`{self.target}` had no default encryption: nothing changed."
        return (
            f"`{self.target}` no longer encrypts new objects by default.\n"
            "Objects that are encrypted stay so: their keys must stay."
        )


@click.command("set", cls=Command)
@click.argument("scheme", type=click.Choice(["sse-s3", "sse-kms"], case_sensitive=False))
@click.argument("arguments", nargs=-1, required=True, metavar="[KEY] TARGET...")
@jobs_option
@pass_app
def set_(app: App, scheme: Scheme, arguments: tuple[str, ...], *, jobs: int) -> None:
    """Encrypt new objects in the buckets TARGET by default; sse-kms takes the KEY to use.

    TARGET may be a pattern over buckets, such as 'ALIAS/*'.

    The key is tried first, the setting is read back, and objects that are there already are
    counted: they stay as they are.
    """
    wanted, names = _wanted(scheme, arguments)
    words = " ".join(filter(None, ("set", scheme, wanted.key)))
    targets = [_bucket_only(_target(name, words), words) for name in names]
    buckets = buckets_of(app, targets)
    for_each(app, buckets, lambda target: _set(app, target, wanted), jobs=jobs)


@click.command("info", cls=Command)
@click.argument("targets", nargs=-1, required=True, type=BUCKETS, metavar="TARGET...")
@jobs_option
@pass_app
def info(app: App, targets: tuple[Target, ...], *, jobs: int) -> None:
    """Show the default encryption of buckets; exit 5 when there is none."""
    buckets = buckets_of(app, [_bucket_only(target, "info") for target in targets])
    for_each(app, buckets, lambda target: _info(app, target), data=True, jobs=jobs)


@click.command("clear", cls=Command)
@click.argument("targets", nargs=-1, required=True, type=BUCKETS, metavar="TARGET...")
@jobs_option
@pass_app
def clear(app: App, targets: tuple[Target, ...], *, jobs: int) -> None:
    """Stop encrypting new objects by default; what is encrypted stays so."""
    buckets = buckets_of(app, [_bucket_only(target, "clear") for target in targets])
    for_each(app, buckets, lambda target: _clear(app, target), jobs=jobs)


def _wanted(
    scheme: Scheme, arguments: tuple[str, ...]
) -> tuple[BucketEncryption, tuple[str, ...]]:
    if scheme == "sse-s3":
        if len(arguments) > 1 and "/" not in arguments[0]:
            raise InputError(
                "sse-s3 takes no key: it uses the server's default key",
                hint=f"mcpy encrypt set sse-kms {' '.join(arguments)}",
            )
        return BucketEncryption(ALGORITHMS[scheme]), arguments
    is_target = "/" in arguments[0] and not KEY_ARN.fullmatch(arguments[0])
    if is_target or len(arguments) == 1:
        raise InputError("sse-kms needs a key", hint="mcpy encrypt set sse-kms KEY ALIAS/BUCKET")
    return BucketEncryption(ALGORITHMS[scheme], check_key_id(arguments[0])), arguments[1:]


def _bucket_only(target: Target, verb: str) -> Target:
    """Refuse a prefix: the default is the bucket's, and all of it was not what was meant."""
    if not target.key.strip("/"):
        return type(target)(target.alias, target.bucket)
    bucket = f"{target.alias}/{target.bucket}"
    message = f"a default encryption is a bucket's, and `{target}` lies in `{bucket}`"
    raise InputError(
        message, hint=f"mcpy stat {target}" if verb == "info" else f"mcpy encrypt {verb} {bucket}"
    )


def _target(name: str, words: str) -> Target:
    try:
        return BUCKETS.convert(name, None, click.get_current_context())
    except InputError as e:
        if e.hint:  # the context knows the command, and not the words before the target
            e.hint = e.hint.replace("mcpy encrypt set", f"mcpy encrypt {words}", 1)
        raise


def _set(app: App, target: Target, wanted: BucketEncryption) -> EncryptionSet:
    from mcpy.fleet.default_encryption import set_default

    outcome = set_default(app.s3(target.alias), app.admin(target.alias), target.bucket, wanted)
    if not outcome.key_checked:
        app.out.warn(f"`{target.alias}` cannot be asked whether its key works: try an upload")
    return EncryptionSet(target, outcome)


def _info(app: App, target: Target) -> EncryptionInfo:
    found = app.s3(target.alias).get_bucket_encryption(target.bucket)
    hint = f"mcpy encrypt set sse-s3 {target}"
    if found is None:
        raise _NoEncryptionError(target.bucket, f"`{target}` has no default encryption", hint)
    if not found.algorithm:
        message = f"`{target}` has an encryption rule without an algorithm: it encrypts nothing"
        raise NotFoundError(message, hint=hint)
    return EncryptionInfo(target, found)


def _clear(app: App, target: Target) -> EncryptionCleared:
    from mcpy.fleet.default_encryption import clear_default

    return EncryptionCleared(target, clear_default(app.s3(target.alias), target.bucket))


class _NoEncryptionError(NotFoundError):
    """A bucket without a default; in JSON it has S3's code, as mc shows it."""

    def __init__(self, bucket: str, message: str, hint: str) -> None:
        super().__init__(message, hint=hint)
        self._bucket = bucket

    def cause(self) -> dict[str, Any]:
        """Return S3's error for it."""
        code = "ServerSideEncryptionConfigurationNotFoundError"
        message = "The server side encryption configuration was not found"
        return {
            "message": message,
            "error": {"Code": code, "Message": message, "BucketName": self._bucket},
        }
