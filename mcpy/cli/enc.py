"""``--enc-s3``, ``--enc-kms`` and ``--enc-c``: which encryption is meant for which objects.

An SSE-C key is never shown: it is masked in all output once it was read, and no message has it.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcpy.errors import ConfigError, InputError
from mcpy.models import CustomerKey, ObjectEncryption, Target, check_key_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mcpy.cli.app import App

_FORMS = "43 or 44 characters of base64, 64 of hex, @FILE or env:NAME"
_WITH_KEY = re.compile(
    r"(.+?)=(@.+|env:[A-Za-z_]\w*|[0-9A-Fa-f]{64}|[A-Za-z0-9+/_-]{43}=?)", re.DOTALL
)
_ENC_C = click.option(
    "--enc-c",
    multiple=True,
    metavar="PREFIX=KEY",
    help=f"SSE-C, in both directions, with the key from {_FORMS}.",
)


def enc_c_option(command: Any) -> Any:  # noqa: ANN401 - click's decorators take and give anything
    """Add ``--enc-c``."""
    return _ENC_C(command)


def enc_options(command: Any) -> Any:  # noqa: ANN401 - click's decorators take and give anything
    """Add the three options."""
    s3 = click.option(
        "--enc-s3", multiple=True, metavar="PREFIX", help="SSE-S3 for targets below."
    )
    kms = click.option(
        "--enc-kms", multiple=True, metavar="PREFIX=KEY", help="SSE-KMS with this key."
    )
    return s3(kms(_ENC_C(command)))


@dataclass(frozen=True)
class EncRules:
    """Encryptions by the prefix they cover; the longest prefix wins.

    ``standing`` are the prefixes of the environment: they are for every command of a session.
    """

    by_prefix: Mapping[str, ObjectEncryption]
    standing: frozenset[str] = frozenset()

    def wanted(self, target: Target) -> ObjectEncryption | None:
        """Return what an object at ``target`` is to be encrypted with."""
        from mcpy.fleet.transfer import covers

        names = [prefix for prefix in self.by_prefix if covers(prefix, str(target))]
        return self.by_prefix[max(names, key=len)] if names else None

    def key(self, target: Target) -> CustomerKey | None:
        """Return the key that opens the object at ``target``."""
        wanted = self.wanted(target)
        return wanted.customer_key if wanted else None

    def check_used(
        self, places: Iterable[Target], warn: Callable[[str], None], *, deep: bool
    ) -> None:
        """Refuse a prefix that covers none of ``places``: they would be stored as they come.

        With ``deep`` a prefix below one of them covers something too. One of the environment is
        only warned of.

        Raises:
            InputError: naming it.
        """
        from mcpy.fleet.transfer import covers

        names = [str(place) for place in places]
        for prefix in self.by_prefix:
            bare = prefix.rstrip("/")
            if any(covers(prefix, name) or (deep and covers(name, bare)) for name in names):
                continue
            if prefix in self.standing:
                warn(f"`{prefix}` of the environment covers none of the targets")
                continue
            place = Target.parse(names[0]) if names else Target.parse(prefix)
            raise InputError(
                f"`{prefix}` covers none of the targets, which would be stored as they come",
                hint=f"give the whole bucket or folder: {place.alias}/{place.bucket}",
            )


def enc_rules(app: App, options: Mapping[str, Any]) -> EncRules:
    """Read the options, and ``MCPY_ENC_*`` or ``MC_ENC_*`` where an option was not given.

    Raises:
        InputError: a value is not of its option's form, or a prefix has two encryptions.
    """
    rules: dict[str, ObjectEncryption] = {}
    standing = set[str]()
    for name, read in (("enc_s3", _s3), ("enc_kms", _kms), ("enc_c", _customer)):
        for text in options.get(name) or _standing(app, options, name):
            prefix, encryption = read(app, text)
            if not Target.parse(prefix).bucket:
                hint = f"{prefix.rstrip('/')}/BUCKET"
                raise InputError(f"`{prefix}` names no bucket", hint=hint)
            if prefix in rules:
                raise InputError(f"`{prefix}` was given two encryptions")
            rules[prefix] = encryption
            standing |= set() if options.get(name) else {prefix}
    return EncRules(rules, frozenset(standing))


def _standing(app: App, options: Mapping[str, Any], name: str) -> list[str]:
    """Return what the environment has for an option, if the command has that option."""
    variables = (start + name.upper() for start in ("MCPY_", "MC_") if name in options)
    value = next((app.environ[one] for one in variables if app.environ.get(one)), "")
    return [part for part in value.split(",") if part]


def _s3(_: App, text: str) -> tuple[str, ObjectEncryption]:
    return text, ObjectEncryption("AES256")


def _kms(_: App, text: str) -> tuple[str, ObjectEncryption]:
    prefix, equals, key = text.rpartition("=")
    if not equals:
        raise InputError(f"`{text}` is not PREFIX=KEY", hint=f"--enc-kms {text or 'PREFIX'}=KEY")
    return prefix, ObjectEncryption("aws:kms", check_key_id(key))


def _customer(app: App, text: str) -> tuple[str, ObjectEncryption]:
    match = _WITH_KEY.fullmatch(text)
    if not match:
        raise InputError(f"a value of --enc-c is not PREFIX=KEY, the key being {_FORMS}")
    prefix, form = match.groups()
    # the words that hold the key must not come out in an error either
    app.out.hide(form if form[0] != "@" and not form.startswith("env:") else "")
    key = CustomerKey(_key(app, form))
    app.out.hide(base64.b64encode(key.secret).decode().rstrip("="), key.secret.hex())
    return prefix, ObjectEncryption(customer=True, customer_key=key)


def _key(app: App, form: str) -> bytes:
    if form.startswith("@"):
        try:
            content = Path(form[1:]).expanduser().read_bytes()
        except OSError as e:
            raise ConfigError(f"cannot read the key file {form[1:]}: {e.strerror}") from e
        if len(content) == 32:
            return content
        return _decoded(content.decode("ascii", "replace").strip(), f"the file {form[1:]}")
    if form.startswith("env:"):
        name = form[4:]
        if name not in app.environ:
            raise ConfigError(f"the environment has no {name}, which holds the SSE-C key")
        return _decoded(app.environ[name].strip(), name)
    return _decoded(form, "--enc-c")


def _decoded(text: str, where: str) -> bytes:
    try:
        if len(text) == 64:
            return bytes.fromhex(text)
        alphabet = text.replace("-", "+").replace("_", "/").rstrip("=")
        key = base64.b64decode(alphabet + "=" * (-len(alphabet) % 4), validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if len(key) != 32:
        raise InputError(f"{where} does not hold an SSE-C key of 32 bytes: {_FORMS}")
    return key
