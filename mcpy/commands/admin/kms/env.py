"""``mcpy admin kms env``: the environment that makes a MinIO server use a KES."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli.app import pass_app
from mcpy.cli.base import Command
from mcpy.cli.kes_access import KesOptions, connect, resolve
from mcpy.cli.output import MASK
from mcpy.cli.params import ALIAS, KEY
from mcpy.errors import (
    ConfigError,
    KesError,
    McpyError,
    NotFoundError,
    UnreachableError,
    exit_code,
)

if TYPE_CHECKING:
    from mcpy.cli.app import App
    from mcpy.models import KesProfile


@dataclass(frozen=True)
class Environment:
    """Variables for the service, printed or written into its file."""

    variables: dict[str, str]
    file: Path | None = None
    changed: bool = True
    export: bool = False

    def data(self) -> dict[str, Any]:
        """Return the variables; ``file`` and ``changed`` when they were written."""
        found: dict[str, Any] = {"status": "success", "env": self.variables}
        if self.file:
            found |= {"file": str(self.file), "changed": self.changed}
        return found

    def text(self) -> str:
        """Return the lines, or what became of the file."""
        if self.file is None:
            word = "export " if self.export else ""
            return "\n".join(f"{word}{n}={quote(v)}" for n, v in self.variables.items())
        if not self.changed:
            return f"{self.file} holds these settings already: nothing changed."
        return f"Wrote {len(self.variables)} settings to {self.file}."


@click.command("env", cls=Command)
@click.argument("alias", type=ALIAS)
@click.option("--key", type=KEY, required=True, help="The server's default key.")
@click.option(
    "--write",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Merge them into this environment file of the service.",
)
@click.option("--export", is_flag=True, help="Print them as shell exports.")
@click.option("--server", metavar="URL", help="The KES, where it is not the alias's.")
@click.option("--cert", metavar="FILE", help="The server's client certificate.")
@click.option("--key-file", metavar="FILE", help="Its private key.")
@click.option("--no-check", is_flag=True, help="Do not try the key at the KES first.")
@pass_app
def env(app: App, /, alias: str, key: str, file: Path | None, **options: Any) -> None:  # noqa: ANN401
    """Print the settings that make the server use KES, or write them.

    They are the MINIO_KMS_KES_* variables of the service; --write merges them into its file.

    The KES is the one of the alias, else that of the environment of kes. Every host of the
    deployment needs the same settings; then: mcpy admin service restart ALIAS.
    """
    access = KesOptions(
        server=options["server"],
        client_cert=options["cert"],
        client_key=options["key_file"],
        alias=alias if app.alias(alias).kes else None,
    )
    variables = _variables(resolve(app, access), key)
    if app.settings.insecure and "MINIO_KMS_KES_CAPATH" not in variables:
        app.out.warn("a MinIO server trusts no unknown certificate: name KES's in MCPY_KES_CA")
    if not options["no_check"]:
        _check(app, access, key, writing=file is not None)
    if not options["cert"] and not options["key_file"]:
        app.out.note(
            "the server is given the identity you use: --cert and --key-file give its own"
        )
    if file is None:
        shown = variables if app.settings.show_secrets else _masked(app, variables)
        app.out.emit(Environment(shown, export=options["export"]))
        return
    from mcpy.fleet import envfile

    changed = envfile.write(file, variables)
    app.out.done(Environment(_masked(app, variables), file, changed))
    app.out.note(f"next: {_next_step(app, alias)}")


def _next_step(app: App, alias: str) -> str:
    """Say how the server takes the settings: only some read a file when restarted by the API."""
    from mcpy.fleet.restart import look

    restart = f"mcpy admin service restart {alias}"
    try:
        _, nodes = look(app.admin(alias), time.monotonic)
    except McpyError:
        return restart  # down, or nobody's business: it may be started with them
    if nodes and not all(node.env_file for node in nodes.values()):
        return (
            f"restart the service unit or container of `{alias}`: it was started without "
            "MINIO_CONFIG_ENV_FILE, so the API's restart keeps its old settings"
        )
    return restart


def _variables(profile: KesProfile, key: str) -> dict[str, str]:
    from mcpy.api.kes import endpoints

    found = {"MINIO_KMS_KES_ENDPOINT": ",".join(endpoints(profile.server))}
    if profile.api_key:
        found["MINIO_KMS_KES_API_KEY"] = profile.api_key
    elif profile.client_cert and profile.client_key:
        found["MINIO_KMS_KES_KEY_FILE"] = str(Path(profile.client_key).resolve())
        found["MINIO_KMS_KES_CERT_FILE"] = str(Path(profile.client_cert).resolve())
    else:
        raise ConfigError(
            "the server needs an identity at the KES: a certificate and its key, or an API key",
            hint="--cert FILE --key-file FILE, or export KES_API_KEY=kes:v1:...",
        )
    if profile.ca:
        found["MINIO_KMS_KES_CAPATH"] = str(Path(profile.ca).resolve())
    return found | {"MINIO_KMS_KES_KEY_NAME": key}


def _masked(app: App, variables: dict[str, str]) -> dict[str, str]:
    if "MINIO_KMS_KES_API_KEY" in variables:
        app.out.note(
            "the API key is hidden here: --show-secrets prints it, --write FILE writes it"
        )
        return variables | {"MINIO_KMS_KES_API_KEY": MASK}
    return variables


def _check(app: App, access: KesOptions, key: str, *, writing: bool) -> None:
    """Do with the key what MinIO does at its start, as the identity it will have.

    Raises:
        NotFoundError: the key is not there; MinIO would make one silently, typing error and all.
        McpyError: it cannot be used, and the server would not start; a warning when only printing.
    """
    client = connect(app, access)
    try:
        made = client.generate_key(key)
        client.decrypt(key, made.ciphertext)
    except KesError as e:
        if e.status == 404:
            raise NotFoundError(
                f"KES at {client.where} has no key `{key}`, and MinIO would make it at its start",
                hint=_create_hint(access, key),
            ) from e
        _doubt(
            app,
            f"KES at {client.where} does not let the server use `{key}`: {e}",
            e,
            writing=writing,
        )
    except UnreachableError as e:
        _doubt(
            app, f"the server could not reach its KES with these settings: {e}", e, writing=writing
        )


def _create_hint(access: KesOptions, key: str) -> str:
    place = f" --alias {access.alias}" if access.alias else ""
    return f"mcpy kes key create{place} {key}"


def _doubt(app: App, message: str, error: McpyError, *, writing: bool) -> None:
    if not writing:
        app.out.warn(message)
        return
    refused = McpyError(message, hint=error.hint or "--no-check writes the settings all the same")
    refused.code = exit_code(error)
    raise refused from error
