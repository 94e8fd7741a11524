"""Where an alias has its credentials from, and those of its KES: options, and their values."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli.secrets import ask, from_command, from_file, from_variable
from mcpy.errors import InputError
from mcpy.models import KesProfile

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcpy.cli.app import App


def source_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the ways a secret key may come that no process list shows."""
    # click lists them the other way round
    for option in reversed(
        (
            click.option("--secret-key-env", metavar="NAME", help="Take it from this variable."),
            click.option(
                "--secret-key-file",
                type=click.Path(path_type=Path, dir_okay=False),
                help="Take it from a file, `-` for stdin.",
            ),
            click.option("--secret-key-command", metavar="COMMAND", help="Take what it prints."),
            click.option("--session-token-env", metavar="NAME", help="A temporary key's token."),
        )
    ):
        command = option(command)
    return command


def kes_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the KES behind an alias, and who asks it."""
    path = click.Path(dir_okay=False, resolve_path=True)
    # click lists them the other way round
    for option in reversed(
        (
            click.option(
                "--kes-server", metavar="URL", default="", help="The KES behind the alias."
            ),
            click.option("--kes-cert", type=path, help="Client certificate, PEM."),
            click.option("--kes-key", type=path, help="Its private key, PEM."),
            click.option("--kes-api-key-env", metavar="NAME", help="Variable with an API key."),
            click.option("--kes-ca", type=path, help="Who issued KES's certificate."),
        )
    ):
        command = option(command)
    return command


def kes_of(app: App, options: dict[str, Any]) -> KesProfile | None:
    """Return the KES that the options name, None for none.

    Raises:
        InputError: two identities are given, or no server.
    """
    api_key = from_variable(app, options["kes_api_key_env"])
    if api_key and (options["kes_cert"] or options["kes_key"]):
        raise InputError("an API key and a client certificate are two identities: give one")
    profile = KesProfile(
        server=options["kes_server"],
        client_cert=options["kes_cert"] or "",
        client_key=options["kes_key"] or "",
        api_key=api_key,
        ca=options["kes_ca"] or "",
    )
    if profile == KesProfile():
        return None
    if not profile.server:
        raise InputError("the KES of an alias needs a server", hint="--kes-server URL")
    return profile


def credentials(app: App, options: dict[str, Any]) -> tuple[str, str]:
    """Return access key and secret key; what is not given is asked for.

    Raises:
        InputError: the secret key is given twice, or a key is too short.
    """
    access_key = options["access_key"]
    sources = (
        options["secret_key"],
        from_variable(app, options["secret_key_env"]),
        from_file(app, options["secret_key_file"]),
        from_command(options["secret_key_command"]),
    )
    given = [value for value in sources if value]
    if len(given) > 1:
        raise InputError("the secret key was given in two ways")
    if access_key is None:
        access_key = ask(app, "Access key")
    secret_key = given[0] if given else options["secret_key"]
    if secret_key is None:
        secret_key = ask(app, "Secret key", hidden=True)
    _check(access_key, secret_key)
    return access_key, secret_key


def _check(access_key: str, secret_key: str) -> None:
    if not access_key and not secret_key:
        raise InputError(
            "both keys are empty: is a variable unset?", hint="--anonymous to mean it"
        )
    if len(access_key) < 3:
        raise InputError("the access key is shorter than 3 characters")
    if len(secret_key) < 8:
        raise InputError("the secret key is shorter than 8 characters")
