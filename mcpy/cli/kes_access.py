"""Which KES, and who we are to it: options, then the environment of ``kes``, then an alias."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli.base import Command
from mcpy.cli.params import ALIAS
from mcpy.cli.secrets import ask
from mcpy.environment import kes_profile
from mcpy.errors import ConfigError

if TYPE_CHECKING:
    from mcpy.api.kes import Kes
    from mcpy.api.tls import ClientCertificate
    from mcpy.cli.app import App
    from mcpy.models import KesProfile

_ENDLESS_S = 10 * 365 * 86400.0  # sockets take no infinity
PASSWORD_VARIABLE = "MCPY_KES_KEY_PASSWORD"  # noqa: S105 - a name


@dataclass(frozen=True)
class KesOptions:
    """What the command line says of the KES; None where it says nothing."""

    server: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    api_key: str | None = field(default=None, repr=False)
    alias: str | None = None

    def words(self) -> list[str]:
        """Return what was given as arguments, to be typed again; no secret is among them."""
        given = {
            "--server": self.server,
            "--cert": self.client_cert,
            "--key": self.client_key,
            "--api-key": None if self.api_key is None else "API_KEY",
            "--alias": self.alias,
        }
        return [
            word for name, value in given.items() if value is not None for word in (name, value)
        ]


class KesCommand(Command):
    """A command that talks to a KES: it takes ``--server`` and the rest as a KesOptions.

    ``-e/--enclave`` is accepted as ``kes`` accepts it: to no effect. ``short`` adds the letters
    that ``kes ls`` alone has.
    """

    def __init__(
        self,
        *args: Any,  # noqa: ANN401 - passed on to click
        short: bool = False,
        **kwargs: Any,  # noqa: ANN401 - passed on to click
    ) -> None:
        super().__init__(*args, **kwargs)
        self.params += _connection_options(short=short)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's signature
        """Gather the connection options into one argument, ``access``."""
        found = {f.name: ctx.params.pop(f"kes_{f.name}", None) for f in fields(KesOptions)}
        ctx.params["access"] = KesOptions(**found)
        return super().invoke(ctx)


def _connection_options(*, short: bool) -> list[click.Parameter]:
    server = ["-s", "--server"] if short else ["--server"]
    api_key = ["-a", "--api-key"] if short else ["--api-key"]
    return [
        click.Option([*server, "kes_server"], metavar="HOST[:PORT]", help="The KES server."),
        click.Option(["--cert", "kes_client_cert"], metavar="FILE", help="Client certificate."),
        click.Option(["--key", "kes_client_key"], metavar="FILE", help="Its private key."),
        click.Option([*api_key, "kes_api_key"], help="API key; better in KES_API_KEY."),
        click.Option(["--alias", "kes_alias"], type=ALIAS, help="The KES of this alias."),
        click.Option(["-e", "--enclave"], expose_value=False, hidden=True),
        click.Option(
            ["--color"],
            type=click.Choice(["auto", "always", "never"]),
            expose_value=False,
            callback=_color,
            help="As in kes; `never` is --no-color.",
        ),
    ]


def _color(ctx: click.Context, _: click.Parameter, value: str | None) -> str | None:
    if value == "never":
        ctx.find_root().obj.settings.no_color = True
    return value


def connect(app: App, options: KesOptions, *, endless: bool = False) -> Kes:
    """Return the client for the KES that options, environment or alias name.

    Args:
        app: the run of mcpy.
        options: what the command line says.
        endless: whether calls may last for ever, unless ``--timeout`` was given.

    Raises:
        ConfigError: no identity, two identities, or files that cannot be read.
    """
    from mcpy.api.http import Deadline
    from mcpy.api.kes import Kes, endpoints

    profile = resolve(app, options)
    app.out.hide(*([] if app.settings.show_secrets else [profile.api_key]))
    certificate = certificate_of(app, profile)
    http = app.http_options(profile.ca)
    if endless:
        http = replace(http, deadline=Deadline(app.settings.timeout_s), idle_s=_ENDLESS_S)
    client = Kes(endpoints(profile.server), http, certificate)
    app.at_end(client.close)
    return client


def resolve(app: App, options: KesOptions) -> KesProfile:
    """Return where and who; what stands on the line goes before the alias and environment."""
    from mcpy.api.kes import DEFAULT_SERVER

    profile = _of_alias(app, options.alias) if options.alias else kes_profile(app.environ)
    if options.api_key is not None:
        profile = replace(profile, client_cert="", client_key="")
    elif options.client_cert is not None or options.client_key is not None:
        profile = replace(profile, api_key="")
    names = ("server", "client_cert", "client_key", "api_key")
    given = {n: getattr(options, n) for n in names if getattr(options, n) is not None}
    profile = replace(profile, **given)
    return profile if profile.server else replace(profile, server=DEFAULT_SERVER)


def named_server(app: App, options: KesOptions, *, default: bool = False) -> str:
    """Return the KES that options, environment or alias name; ``""`` where none of them does.

    ``default`` takes the one that is asked without any name.
    """
    if options.alias and not options.server and not app.alias(options.alias).kes:
        return ""
    named = options.alias or options.server or kes_profile(app.environ).server
    return resolve(app, options).server if named or default else ""


def _of_alias(app: App, name: str) -> KesProfile:
    profile = app.alias(name).kes
    if profile is None:
        raise ConfigError(
            f"the alias `{name}` has no KES",
            hint=f"mcpy alias set {name} ... --kes-server URL --kes-cert FILE --kes-key FILE",
        )
    return profile


def certificate_of(app: App, profile: KesProfile) -> ClientCertificate:
    """Return the certificate a profile names, or the one that its API key makes.

    Raises:
        ConfigError, InputError: it names none, half of one, or two.
    """
    from mcpy.api.tls import certificate_of as make

    return make(profile, password=lambda: key_password(app))


def own_identity(app: App, options: KesOptions) -> str:
    """Return the identity that ``connect`` with the same options shows to the server."""
    from mcpy.api import kes_identity
    from mcpy.api.tls import private_key_from_api_key

    profile = resolve(app, options)
    if profile.api_key:
        return kes_identity.identity(private_key_from_api_key(profile.api_key))
    path = Path(profile.client_cert)
    try:
        return kes_identity.of_certificate(path.read_bytes(), str(path)).identity
    except OSError as e:
        raise ConfigError(f"cannot read the client certificate {path}: {e.strerror}") from e


def key_password(app: App) -> str:
    """Return the password of the client's private key, from the environment or a prompt.

    Raises:
        ConfigError: there is none, and nobody to ask.
    """
    password = app.environ.get(PASSWORD_VARIABLE, "")
    if not password and app.stdin.isatty():
        password = ask(app, "Password of the private key", hidden=True)
    if not password:
        raise ConfigError(
            "the client private key is encrypted", hint=f"export {PASSWORD_VARIABLE}=..."
        )
    app.out.hide(password)
    return password
