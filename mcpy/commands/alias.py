"""``mcpy alias``: name servers and keep their credentials."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli.app import pass_app
from mcpy.cli.base import Group
from mcpy.cli.credentials import credentials, kes_of, kes_options, source_options
from mcpy.cli.documents import read_text
from mcpy.cli.many import for_each
from mcpy.cli.output import MASK
from mcpy.cli.params import ALIAS
from mcpy.cli.secrets import from_variable
from mcpy.config import check_url
from mcpy.errors import ConfigError, InputError, NoAliasError
from mcpy.mcconfig import read_mc_alias, read_mc_config, why_of_no_use
from mcpy.models import Alias

if TYPE_CHECKING:
    from mcpy.cli.app import App

_CONFIG_OF_MC = Path("~/.mc/config.json")


@dataclass(frozen=True)
class Shown:
    """One alias as the user sees it."""

    alias: Alias
    secrets: bool
    verb: str = ""

    def data(self) -> dict[str, Any]:
        """Return mc's fields; secrets are masked unless asked for."""
        alias = self.alias
        found = {
            "status": "success",
            "alias": alias.name,
            "URL": alias.url,
            "accessKey": alias.access_key,
            "secretKey": self._secret(alias.secret_key),
            "sessionToken": self._secret(alias.session_token),
            "api": alias.api,
            "path": alias.path,
            "src": alias.source,
            "kes": alias.kes.server if alias.kes else "",
        }
        return {key: value for key, value in found.items() if value}

    def text(self) -> str:
        """Return one line for a change, a block of lines for a list."""
        if self.verb:
            return f"{self.verb} `{self.alias.name}`."
        data = self.data()
        width = max(len(key) for key in data) + 1
        rows = [f"  {key:<{width}}: {data[key]}" for key in data if key not in {"status", "alias"}]
        return "\n".join([self.alias.name, *rows])

    def _secret(self, value: str) -> str:
        return value if self.secrets or not value else MASK


_SHORT = {"s": "set", "ls": "list", "rm": "remove", "i": "import", "e": "export"}


@click.group(cls=Group, short=_SHORT)
def alias() -> None:
    """Name servers and keep their credentials.

    mc's short names work too: s, ls, rm, i and e.
    """


@alias.command("set")
@click.argument("name", type=ALIAS, metavar="ALIAS")
@click.argument("url")
@click.argument("access_key", metavar="[ACCESSKEY]", required=False)
@click.argument("secret_key", metavar="[SECRETKEY]", required=False)
@click.option("--anonymous", is_flag=True, help="No credentials: requests go out unsigned.")
@click.option("--no-verify", is_flag=True, help="Do not try the credentials first.")
@click.option(
    "--path",
    type=click.Choice(["auto", "on", "off"]),
    default="auto",
    help="Whether buckets stand in the path: `off` is BUCKET.HOST. [auto]",
)
@click.option(
    "--api",
    type=click.Choice(["S3v4", "S3v2"], case_sensitive=False),
    default="S3v4",
    help="How S3 calls are signed; S3v2 for very old servers. [S3v4]",
)
@click.option("--region", default="", help="The region to sign for. [us-east-1]")
@source_options
@kes_options
@pass_app
def set_(app: App, /, name: str, url: str, **options: Any) -> None:  # noqa: ANN401 - click's options
    """Store an alias after proving that an S3 server takes its credentials.

    Missing keys are asked for on a terminal, and read as two lines from stdin otherwise.
    """
    new = Alias(
        name=name,
        url=check_url(url),
        path=options["path"],
        api=options["api"].lower(),
        region=options["region"],
        ca=str(app.settings.ca.resolve()) if app.settings.ca else "",
        kes=kes_of(app, options),
        source=str(app.store.path),
    )
    if not options["anonymous"]:
        token = from_variable(app, options["session_token_env"])
        access_key, secret_key = credentials(app, options)
        new = replace(new, access_key=access_key, secret_key=secret_key, session_token=token)
    app.hide(new)
    if not options["no_verify"]:
        _verify(app, new)
    app.store.put(new)
    app.out.done(Shown(new, app.settings.show_secrets, "Added"))


@alias.command("list")
@click.argument("name", type=ALIAS, metavar="[ALIAS]", required=False)
@pass_app
def list_(app: App, name: str | None) -> None:
    """Show one alias or all; secret keys are masked unless --show-secrets."""
    for found in [app.store.get(name)] if name else app.store.all():
        app.out.emit(Shown(found, app.settings.show_secrets))


@alias.command("remove")
@click.argument("name", type=ALIAS, metavar="ALIAS")
@pass_app
def remove(app: App, name: str) -> None:
    """Remove an alias."""
    try:
        removed = app.store.remove(name)
    except NoAliasError as e:
        e.hint = "mcpy alias list"
        raise
    app.out.done(Shown(removed, app.settings.show_secrets, "Removed"))


@alias.command("import")
@click.argument("name", type=ALIAS, metavar="[ALIAS]", required=False)
@click.argument("file", type=click.Path(path_type=Path), metavar="[FILE]", required=False)
@click.option(
    "--from-mc",
    "mc_config",
    is_flag=False,
    flag_value=_CONFIG_OF_MC,
    type=click.Path(path_type=Path),
    help="Import every alias of mc's config.json. [$MC_CONFIG_DIR or ~/.mc]",
)
@click.option("--force", is_flag=True, help="With --from-mc: replace aliases of other servers.")
@pass_app
def import_(
    app: App, name: str | None, file: Path | None, mc_config: Path | None, *, force: bool
) -> None:
    """Import one alias from mc's JSON (FILE or stdin), or all of mc's with --from-mc.

    --from-mc leaves out what mc made by itself, and never replaces an alias of another server.
    What mc has no field for, a KES or an authority to trust, an alias of the same server keeps.
    """
    if mc_config:
        if name:
            raise InputError("--from-mc imports every alias, so it takes no ALIAS")
        if mc_config == _CONFIG_OF_MC and app.environ.get("MC_CONFIG_DIR"):
            mc_config = Path(app.environ["MC_CONFIG_DIR"]) / mc_config.name
        found = _useful(app, read_mc_config(mc_config.expanduser()))
    elif name:
        found = [_read_alias(app, name, file)]
    else:
        raise InputError("name the alias to import", hint="mcpy alias import ALIAS FILE")
    taken = {} if name or force else {known.name: known.url for known in app.store.all()}
    for_each(app, found, lambda new: _import(app, new, taken))


def _useful(app: App, aliases: list[Alias]) -> list[Alias]:
    for found in aliases:
        if why := why_of_no_use(found):
            app.out.warn(f"`{found.name}` is left out: {why}")
    return [found for found in aliases if not why_of_no_use(found)]


def _import(app: App, new: Alias, taken: dict[str, str]) -> Shown:
    """Store one alias; ``taken`` has the URLs of those that are not to be replaced."""
    app.hide(new)
    known = taken.get(new.name, new.url)
    if known != new.url:
        raise ConfigError(
            f"`{new.name}` is {known} here and {new.url} in mc: not replaced",
            hint="mcpy alias import --from-mc --force to replace it",
        )
    with suppress(NoAliasError):
        stored = app.store.get(new.name)
        if stored.url == new.url:
            new = replace(new, ca=stored.ca or new.ca, kes=stored.kes, region=stored.region)
    app.store.put(new)
    return Shown(replace(new, source=str(app.store.path)), app.settings.show_secrets, "Imported")


@alias.command("export")
@click.argument("name", type=ALIAS, metavar="ALIAS")
@pass_app
def export(app: App, name: str) -> None:
    """Print an alias with its secrets, as JSON that `alias import` of mc and mcpy reads."""
    found = app.store.get(name)
    document = {"url": found.url, "accessKey": found.access_key, "secretKey": found.secret_key}
    document |= {"sessionToken": found.session_token} if found.session_token else {}
    document |= {"api": found.api, "path": found.path}
    app.out.lines(json.dumps(document, separators=(",", ":")))


def _verify(app: App, new: Alias) -> None:
    from mcpy.api.s3 import prove_s3

    prove_s3(app.s3(new))


def _read_alias(app: App, name: str, file: Path | None) -> Alias:
    source = str(file) if file and str(file) != "-" else "stdin"
    return read_mc_alias(name, read_text(app, str(file or "-")), source=source)
