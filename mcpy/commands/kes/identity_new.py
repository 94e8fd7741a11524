"""``mcpy kes identity new``: an API key, or a private key and certificate in files."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli.app import pass_app
from mcpy.cli.base import Command
from mcpy.cli.kes_access import PASSWORD_VARIABLE
from mcpy.cli.params import Parsed
from mcpy.cli.secrets import ask
from mcpy.errors import ConfigError, InputError

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from mcpy.cli.app import App

DEFAULT_EXPIRY = "720h"
_CLOCK_SKEW = timedelta(minutes=5)
_SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_FILE = click.Path(path_type=Path, dir_okay=False)


@dataclass(frozen=True)
class NewIdentity:
    """A new identity; ``api_key`` is empty where the files hold it and nobody asked."""

    identity: str
    api_key: str = field(default="", repr=False)
    key: Path | None = None
    cert: Path | None = None
    expires: datetime | None = None

    def data(self) -> dict[str, Any]:
        """Return what there is of identity, API key, files and end."""
        found = {
            "status": "success",
            "identity": self.identity,
            "api_key": self.api_key,
            "key": str(self.key or ""),
            "cert": str(self.cert or ""),
            "expires": self._end(),
        }
        return {name: value for name, value in found.items() if value}

    def text(self) -> str:
        """Return one fact a line."""
        rows = [
            ("API key", self.api_key),
            ("Identity", self.identity),
            ("Private key", self.key),
            ("Certificate", self.cert),
            ("Expires", self._end()),
        ]
        return "\n".join(f"{name + ':':<13}{value}" for name, value in rows if value)

    def _end(self) -> str:
        return self.expires.strftime("%Y-%m-%dT%H:%M:%SZ") if self.expires else ""


def parse_expiry(text: str) -> timedelta:
    """Return a time span, more than none, from ``720h``, ``1h30m`` or ``365d``."""
    if not re.fullmatch(r"(\d+(\.\d+)?[dhms])+", text):
        raise InputError(f"`{text}` is not a duration such as 720h or 365d")
    parts = re.findall(r"([\d.]+)([dhms])", text)
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    if not 0 < seconds <= 100 * 366 * 86400:
        raise InputError(f"`{text}` is not a duration a certificate can have")
    return timedelta(seconds=seconds)


def parse_ip(text: str) -> IPv4Address | IPv6Address:
    """Return an IP address."""
    try:
        return ipaddress.ip_address(text)
    except ValueError as e:
        raise InputError(f"`{text}` is not an IP address") from e


@click.command("new", cls=Command)
@click.argument("subject", required=False, default="")
@click.option("--key", type=_FILE, help="Write the private key to this file.")
@click.option("--cert", type=_FILE, help="Write the certificate to this file.")
@click.option("--ip", "ips", type=Parsed("IP", parse_ip), multiple=True, help="A server's IP.")
@click.option("--dns", metavar="DOMAIN", multiple=True, help="A server's name.")
@click.option(
    "--expiry",
    type=Parsed("DURATION", parse_expiry),
    help=f"How long the certificate is valid. [{DEFAULT_EXPIRY}]",
)
@click.option("--encrypt", is_flag=True, help="Encrypt the private key with a password.")
@click.option("-f", "--force", is_flag=True, help="Overwrite the files.")
@pass_app
def new(app: App, /, subject: str, **options: Any) -> None:  # noqa: ANN401 - click's options
    """Make a new identity. It is an API key, or with --key and --cert a key pair in files.

    SUBJECT becomes the common name. The password of --encrypt is asked for, or comes from
    MCPY_KES_KEY_PASSWORD.
    """
    from mcpy.api import kes_identity

    files = _files(options)
    key = kes_identity.new_key()
    name, api_key = kes_identity.identity(key), kes_identity.api_key(key)
    if files is None:
        app.out.emit(NewIdentity(name, api_key))
        return
    password = _new_password(app) if options["encrypt"] else ""
    expires = _write(files, key, password, _subject(subject, options), options["expiry"])
    shown = api_key if app.settings.show_secrets else ""
    app.out.emit(NewIdentity(name, shown, *files, expires))


def _files(options: dict[str, Any]) -> tuple[Path, Path] | None:
    """Return the files for key and certificate, which exist only where they may be replaced."""
    key, cert = options["key"], options["cert"]
    if key is None and cert is None:
        for name in ("ips", "dns", "expiry", "encrypt"):
            if options[name]:
                flag = "--ip" if name == "ips" else f"--{name}"
                raise InputError(f"{flag} is for files", hint="--key FILE --cert FILE")
        return None
    if key is None or cert is None:
        raise InputError("a private key and its certificate: give both --key and --cert")
    if key.resolve() == cert.resolve():
        raise InputError("--key and --cert name the same file")
    _check_what_is_there([path for path in (key, cert) if path.exists()], force=options["force"])
    return key, cert


def _check_what_is_there(files: list[Path], *, force: bool) -> None:
    for path in files:
        if not path.is_file():  # replaced, a device would be one no more
            raise ConfigError(f"cannot write {path}: it is not a regular file")
    if files and not force:
        raise ConfigError(
            f"{' and '.join(map(str, files))} would be overwritten",
            hint="--force overwrites what is there",
        )


def _subject(name: str, options: dict[str, Any]) -> Any:  # noqa: ANN401 - lazily imported
    from mcpy.api.kes_identity import Subject

    return Subject(name, tuple(options["ips"]), tuple(options["dns"]))


def _new_password(app: App) -> str:
    password = app.environ.get(PASSWORD_VARIABLE, "")
    if not password:
        password = ask(app, "Password for the private key", hidden=True)
        if app.stdin.isatty() and password != ask(app, "The same again", hidden=True):
            raise InputError("the two passwords differ")
    if not password:
        raise ConfigError("no password is given", hint=f"export {PASSWORD_VARIABLE}=...")
    app.out.hide(password)
    return password


def _write(
    files: tuple[Path, Path],
    key: Ed25519PrivateKey,
    password: str,
    subject: Any,  # noqa: ANN401 - lazily imported
    expiry: timedelta | None,
) -> datetime:
    """Write both files and return when the certificate ends."""
    from mcpy.api import kes_identity

    now = datetime.now(UTC).replace(microsecond=0)
    end = now + (expiry or parse_expiry(DEFAULT_EXPIRY))
    try:
        cert = kes_identity.certificate(key, subject, start=now - _CLOCK_SKEW, end=end)
    except ValueError as e:
        raise InputError(f"no certificate can say this: {e}") from e
    pem = kes_identity.private_key_pem(key, password, iv=os.urandom(16))
    _replace_both((files[0], pem, 0o600), (files[1], cert, 0o644))
    return end


def _replace_both(*files: tuple[Path, bytes, int]) -> None:
    """Write every file beside its place first, so that either all are new or none is."""
    staged: list[tuple[Path, Path]] = []
    try:
        for named, content, mode in files:
            path = named.resolve()  # a link stays a link
            # mkstemp makes the file 0600 before its first byte
            handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
            staged.append((Path(name), path))
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(name).chmod(mode)
        for made, path in staged:
            made.replace(path)
    except OSError as e:
        raise ConfigError(f"cannot write {e.filename or 'the files'}: {e.strerror}") from e
    finally:
        for made, _ in staged:
            with contextlib.suppress(OSError):
                made.unlink(missing_ok=True)
