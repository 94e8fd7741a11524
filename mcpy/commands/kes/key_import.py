"""``mcpy kes key import``: a key of given bytes."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli.app import pass_app
from mcpy.cli.kes_access import KesCommand, KesOptions, connect
from mcpy.cli.params import KEY
from mcpy.cli.payload import decode, is_elsewhere, read
from mcpy.commands.kes.crypto import named
from mcpy.errors import InputError, KesError, ProtocolError

if TYPE_CHECKING:
    from mcpy.api.kes import Kes
    from mcpy.cli.app import App

KEY_BYTES = 32
_CIPHERS = {"aes256": "AES256", "chacha20": "ChaCha20"}


@dataclass(frozen=True)
class KeyImported:
    """A key made of given or random bytes; ``key`` is base64, and only set to be shown."""

    name: str
    cipher: str
    change: str
    key: str = field(default="", repr=False)

    def data(self) -> dict[str, Any]:
        """Return name, cipher and change."""
        found = {"status": "success", "name": self.name, "change": self.change}
        found |= {"algorithm": self.cipher} if self.change == "imported" else {}
        return found | ({"key": self.key} if self.key else {})

    def text(self) -> str:
        """Return one line, and the key when it was asked for."""
        if self.change == "exists":
            return f"Key `{self.name}` was there already: nothing changed."
        line = f"Imported key `{self.name}` for {self.cipher}."
        return f"{line}\n{self.key}" if self.key else line


@click.command("import", cls=KesCommand)
@click.argument("name", type=KEY)
@click.argument("key", required=False, metavar="[KEY]")
@click.option(
    "--cipher",
    type=click.Choice(list(_CIPHERS.values()), case_sensitive=False),
    default="AES256",
    show_default=True,
    help="What the key is for.",
)
@click.option("--if-missing", is_flag=True, help="A key that exists is no error.")
@pass_app
def import_(
    app: App, name: str, key: str | None, *, cipher: str, if_missing: bool, access: KesOptions
) -> None:
    """Make a key of given bytes. KEY is base64 of 32 bytes, @FILE, or - for stdin.

    A file or stdin may hold the 32 bytes themselves. Without KEY a random key is made, which
    --show-secrets prints.
    """
    raw = secrets.token_bytes(KEY_BYTES) if key is None else _key(app, key)
    if key and not is_elsewhere(key):
        app.out.note("a key on the command line shows in process lists: `-` reads it from stdin")
    client = connect(app, access)
    cipher = _CIPHERS[cipher.lower()]
    with named(name, "import"):
        change = _import(client, name, raw, cipher, if_missing=if_missing)
    from mcpy.api.kes_types import b64

    shown = b64(raw) if key is None and app.settings.show_secrets and change == "imported" else ""
    app.out.done(KeyImported(name, cipher, change, shown))


def _key(app: App, text: str) -> bytes:
    raw = read(app, text)
    if is_elsewhere(text) and len(raw) == KEY_BYTES:
        return raw
    try:
        key = decode(raw)
    except ValueError as e:
        raise InputError("the key is not base64 of 32 bytes") from e
    if len(key) != KEY_BYTES:
        raise InputError(f"the key has {len(key)} bytes, a KES key has {KEY_BYTES}")
    return key


def _import(client: Kes, name: str, key: bytes, cipher: str, *, if_missing: bool) -> str:
    from mcpy.api.kes import KEY_EXISTS

    try:
        client.import_key(name, key, cipher)
    except KesError as e:
        if if_missing and e.server_message == KEY_EXISTS:
            return "exists"
        raise
    try:
        found = client.describe_key(name)
    except KesError as e:
        if e.status != 403:  # who may import need not be allowed to look
            raise
        return "imported"
    if found.algorithm and found.algorithm != cipher:
        raise ProtocolError(f"the server made `{name}` for {found.algorithm}, not for {cipher}")
    return "imported"
