"""``mcpy kes key dek|encrypt|decrypt|hmac``: what a key does, never the key itself."""

from __future__ import annotations

import base64
import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from mcpy.cli.app import pass_app
from mcpy.cli.kes_access import KesCommand, KesOptions, connect
from mcpy.cli.params import KEY
from mcpy.cli.payload import read, read_base64, read_field
from mcpy.errors import InputError, KesError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mcpy.cli.app import App

# KES takes a body of 1,000,000 bytes, of which base64 and JSON are a part
MAX_MESSAGE_BYTES = 740_000


@dataclass(frozen=True)
class Made:
    """Base64 fields by KES's names: JSON in a pipe as in kes, lines for a person."""

    fields: dict[str, str] = field(repr=False)
    lines: bool

    def data(self) -> dict[str, str]:
        """Return kes's fields."""
        return self.fields

    def text(self) -> str:
        """Return lines where stdout is a terminal, and kes's JSON where it is not."""
        if not self.lines:
            return json.dumps(self.fields, separators=(",", ":"))
        width = max(len(name) for name in self.fields) + 1
        return "\n".join(f"{name + ':':<{width}} {v}" for name, v in self.fields.items())


def _raw(what: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return click.option("--raw", is_flag=True, help=f"Write the {what} alone, as bytes.")


_context = click.argument("context", required=False, default="", metavar="[CONTEXT]")


@click.command("dek", cls=KesCommand)
@click.argument("name", type=KEY)
@_context
@_raw("plaintext key")
@pass_app
def dek(app: App, name: str, context: str, *, raw: bool, access: KesOptions) -> None:
    """Make a data encryption key. 32 bytes in the clear, and the same encrypted by the key NAME.

    CONTEXT is base64, or @FILE or - for bytes; decrypting needs the same again.
    """
    bound_to = read_base64(app, context, "context")
    client = connect(app, access)
    with named(name):
        made = client.generate_key(name, bound_to)
    _emit(app, raw=raw, plaintext=made.plaintext, ciphertext=made.ciphertext)


@click.command("encrypt", cls=KesCommand)
@click.argument("name", type=KEY)
@click.argument("message")
@_context
@_raw("ciphertext")
@pass_app
def encrypt(
    app: App, name: str, message: str, context: str, *, raw: bool, access: KesOptions
) -> None:
    """Encrypt a message. It is text, @FILE, or - for stdin; at most 740,000 bytes.

    CONTEXT is base64, or @FILE or - for bytes; decrypting needs the same again.
    """
    _one_stdin(message, context)
    plaintext, bound_to = read(app, message), read_base64(app, context, "context")
    _check_size(plaintext)
    client = connect(app, access)
    with named(name):
        ciphertext = client.encrypt(name, plaintext, bound_to)
    _emit(app, raw=raw, ciphertext=ciphertext)


@click.command("decrypt", cls=KesCommand)
@click.argument("name", type=KEY)
@click.argument("ciphertext")
@_context
@_raw("plaintext")
@pass_app
def decrypt(
    app: App, name: str, ciphertext: str, context: str, *, raw: bool, access: KesOptions
) -> None:
    """Decrypt a ciphertext. It is base64, @FILE, or - for stdin; a file may hold it in any form.

    CONTEXT is base64, or @FILE or - for bytes, as it was when encrypting.
    """
    _one_stdin(ciphertext, context)
    sealed, bound_to = (
        read_field(app, ciphertext, "ciphertext"),
        read_base64(app, context, "context"),
    )
    client = connect(app, access)
    with named(name):
        plaintext = client.decrypt(name, sealed, bound_to)
    _emit(app, raw=raw, plaintext=plaintext)


@click.command("hmac", cls=KesCommand)
@click.argument("name", type=KEY)
@click.argument("message")
@_raw("32 bytes of the HMAC")
@pass_app
def hmac(app: App, name: str, message: str, *, raw: bool, access: KesOptions) -> None:
    """Compute the HMAC of a message. HMAC-SHA256 of text, @FILE, or - for stdin.

    Its secret is the key's own, made by the server: the same key imported elsewhere gives another.
    """
    given = read(app, message)
    _check_size(given)
    client = connect(app, access)
    with named(name):
        mac = client.hmac(name, given)
    _emit(app, raw=raw, hmac=mac)


def _emit(app: App, *, raw: bool, **fields: bytes) -> None:
    """Write the fields, or the first one alone as it is."""
    if raw:
        app.out.raw(next(iter(fields.values())))
        return
    texts = {name: base64.b64encode(value).decode() for name, value in fields.items()}
    app.out.emit(Made(texts, lines=app.out.tables))


def _one_stdin(*arguments: str) -> None:
    if arguments.count("-") > 1:
        raise InputError("stdin can be one argument, not two", hint="@FILE reads a file")


def _check_size(message: bytes) -> None:
    if len(message) > MAX_MESSAGE_BYTES:
        raise InputError(
            f"{len(message)} bytes are more than the {MAX_MESSAGE_BYTES} a KES takes",
            hint="mcpy kes key dek NAME makes a key to encrypt large data with",
        )


@contextmanager
def named(name: str, verb: str = "create") -> Iterator[None]:
    """Say which key KES speaks of, and how ``verb`` could go on; its own texts do not."""
    from mcpy.api.kes import KEY_EXISTS, KEY_MISSING

    hints = {
        KEY_EXISTS: f"mcpy kes key {verb} --if-missing {name}",
        KEY_MISSING: "mcpy kes key ls",
    }
    try:
        yield
    except KesError as e:
        text = e.server_message
        hint = hints.get(text, e.hint)
        raise KesError(e.status, f"key `{name}`: {text}", hint=hint) from e
