"""``mcpy admin config``: the settings a MinIO server keeps."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from mcpy.api.minio_config import PAIR
from mcpy.cli import config_proof, documents
from mcpy.cli.app import pass_app
from mcpy.cli.base import Group
from mcpy.cli.output import MASK, printable, table
from mcpy.cli.params import ALIAS
from mcpy.errors import InputError, McpyError

if TYPE_CHECKING:
    from mcpy.api.minio_config import Change, MinioConfig, Section
    from mcpy.cli.app import App

# the endings of keys and variables whose values are secrets; a variable may end in its target
_SECRET = re.compile(
    r"(secret|secret_key|password|token|license|api_key|private_key|connection_string|dsn_string)"
    r"(_[a-z0-9-]+)?$"
)


@dataclass(frozen=True)
class Settings:
    """The settings of a subsystem; ``lines`` is the server's text."""

    sections: list[Section]
    lines: str

    def data(self) -> dict[str, Any]:
        """Return mc's fields."""
        return {"status": "success", "config": [_section(section) for section in self.sections]}

    def text(self) -> str:
        """Return the lines as the server writes them."""
        return self.lines.rstrip("\n")


def _section(section: Section) -> dict[str, Any]:
    kv = []
    for setting in section.settings:
        pair: dict[str, Any] = {"key": setting.key, "value": setting.value}
        if setting.variable:
            pair["envOverride"] = {"name": setting.variable, "value": setting.variable_value}
        kv.append(pair)
    target = {"target": section.target} if section.target else {}
    return {"subSystem": section.subsystem, **target, "kv": kv}


@dataclass(frozen=True)
class Changed:
    """Settings that were changed; ``applied`` is whether the server works by them already."""

    alias: str
    done: str
    applied: bool

    def data(self) -> dict[str, Any]:
        """Return mc's field, and what mc keeps to itself."""
        return {"status": "success", "restartRequired": not self.applied}

    def text(self) -> str:
        """Return what was done and what is left to do."""
        if self.applied:
            return self.done
        return f"{self.done}\nThey work after: mcpy admin service restart {self.alias}"


@dataclass(frozen=True)
class Help:
    """What can be set."""

    help: dict[str, Any]
    aligned: bool

    def data(self) -> dict[str, Any]:
        """Return mc's fields."""
        return {"status": "success", "help": self.help}

    def text(self) -> str:
        """Return a line for each key."""
        rows = [
            [str(key.get("key", "")), str(key.get("type", "")), str(key.get("description", ""))]
            for key in self.help.get("keysHelp") or []
        ]
        return printable(table(["Key", "Type", "Description"], rows, aligned=self.aligned))


@dataclass(frozen=True)
class History:
    """The changes of the past, newest last."""

    changes: list[Change]

    def data(self) -> dict[str, Any]:
        """Return mc's fields, its form of times included."""
        entries = [
            {"restoreId": c.restore_id, "createTime": _http_date(c.created), "targets": c.line}
            for c in self.changes
        ]
        return {"status": "success", "entries": entries}

    def text(self) -> str:
        """Return id, time and line of each."""
        rows = (f"{c.restore_id}\t{c.created}\t{printable(c.line.strip())}" for c in self.changes)
        return "\n".join(rows)


@dataclass(frozen=True)
class Exported:
    """Every setting, secrets included: a file to import again."""

    lines: str

    def data(self) -> dict[str, Any]:
        """Return mc's fields: the text in base64."""
        import base64

        return {"status": "success", "value": base64.b64encode(self.lines.encode()).decode()}

    def text(self) -> str:
        """Return the lines as the server writes them."""
        return self.lines.rstrip("\n")


@click.group(cls=Group)
def config() -> None:
    """Show and change the settings a server keeps.

    The KMS is not among them: mcpy admin kms env.
    """


@config.command("get")
@click.argument("alias", type=ALIAS)
@click.argument("subsystem", required=False)
@pass_app
def get(app: App, alias: str, subsystem: str | None) -> None:
    """Show the settings of SUBSYSTEM[:TARGET]; without one, which subsystems there are.

    Secrets are hidden unless --show-secrets is given.
    """
    client = _client(app, alias)
    if not subsystem:
        app.out.emit(Help(client.help(), app.out.tables))
        return
    _emit(app, client.get(subsystem))


@config.command("set")
@click.argument("alias", type=ALIAS)
@click.argument("settings", nargs=-1, metavar="SUBSYSTEM[:TARGET] [KEY=VALUE...]")
@click.option("--env", is_flag=True, help="Show the names for the server's environment.")
@pass_app
def set_(app: App, alias: str, settings: tuple[str, ...], *, env: bool) -> None:
    """Change settings, and see that the server shows them; without any, show what can be set."""
    client = _client(app, alias)
    subsystem, _, pairs = " ".join(settings).strip().partition(" ")
    if not pairs.strip() or env:
        app.out.emit(Help(client.help(subsystem.partition(":")[0], env=env), app.out.tables))
        return
    wanted = PAIR.findall(pairs)
    if not wanted:
        raise InputError(
            "settings are KEY=VALUE", hint=f"mcpy admin config set {alias} {subsystem}"
        )
    app.out.hide(*(value for key, value in wanted if _SECRET.search(key)))
    applied = client.set(f"{subsystem} {pairs}")
    if applied:  # before its restart a server shows what it works by
        config_proof.see_set(app, client, subsystem, wanted)
    app.out.done(Changed(alias, f"Set {subsystem}.", applied))


@config.command("reset")
@click.argument("alias", type=ALIAS)
@click.argument("settings", nargs=-1, metavar="SUBSYSTEM[:TARGET] [KEY...]")
@click.option("--env", is_flag=True, help="Show the names for the server's environment.")
@pass_app
def reset(app: App, alias: str, settings: tuple[str, ...], *, env: bool) -> None:
    """Return settings to their defaults; without any, show what can be reset."""
    client = _client(app, alias)
    line = " ".join(settings).strip()
    if not line or env:
        app.out.emit(Help(client.help(line.partition(":")[0], env=env), app.out.tables))
        return
    applied = client.reset(line)
    if applied:
        config_proof.see_reset(client, line)
    app.out.done(Changed(alias, f"Reset {line}.", applied))


@config.command("export")
@click.argument("alias", type=ALIAS)
@pass_app
def export(app: App, alias: str) -> None:
    """Print every setting for `import`, secrets included."""
    lines = _client(app, alias).export()
    app.out.reveal()
    app.out.emit(Exported(lines))


@config.command("import")
@click.argument("alias", type=ALIAS)
@click.argument("file", default="-", metavar="[FILE]")
@pass_app
def import_(app: App, alias: str, file: str) -> None:
    """Make FILE, or stdin, all of the configuration: what it does not name becomes its default.

    `admin config export` writes such a file.
    """
    # an export names targets that only the environment sets, and is refused for it
    lines = documents.read_text(app, file).splitlines()
    text = "\n".join(line for line in lines if "=" in line)
    if not text:
        raise InputError(f"{documents.name_of(file)} holds no settings")
    client = _client(app, alias)
    if missing := config_proof.unnamed(client, text):
        app.out.warn(f"not named, so back to their defaults: {', '.join(missing)}")
    client.replace(text + "\n")
    config_proof.see_imported(client, text)
    app.out.done(Changed(alias, "Imported the settings.", applied=False))


@config.command("history")
@click.argument("alias", type=ALIAS)
@click.option("--count", "-n", type=click.IntRange(1, 1000), default=10, help="How many. [10]")
@click.option("--clear", "-c", is_flag=True, help="Forget them all; the settings stay.")
@pass_app
def history(app: App, alias: str, count: int, *, clear: bool) -> None:
    """Show the last changes, and the ids that bring their state back."""
    from dataclasses import replace

    client = _client(app, alias)
    if clear:
        client.clear_history()
    changes = client.history()[-count:]
    if clear and changes:
        raise McpyError("the server took the clearing of its history, and still shows it")
    if not app.settings.show_secrets:
        changes = [replace(change, line=_masked(change.line)) for change in changes]
    if changes or app.out.json:
        app.out.emit(History(changes))
    elif clear:
        app.out.done(Changed(alias, "Cleared the history.", applied=True))


@config.command("restore")
@click.argument("alias", type=ALIAS)
@click.argument("restore_id", metavar="RESTORE-ID")
@pass_app
def restore(app: App, alias: str, restore_id: str) -> None:
    """Bring back the state of a change of `history`."""
    client = _client(app, alias)
    client.restore(restore_id)
    config_proof.see_restored(client, restore_id)
    app.out.done(Changed(alias, f"Restored {restore_id}.", applied=False))


def _http_date(created: str) -> str:
    from datetime import datetime
    from email.utils import format_datetime

    try:
        return format_datetime(datetime.fromisoformat(created), usegmt=True)
    except ValueError:
        return created


def _client(app: App, alias: str) -> MinioConfig:
    from mcpy.api.minio_config import MinioConfig

    return MinioConfig(app.admin(alias))


def _emit(app: App, lines: str) -> None:
    from mcpy.api.minio_config import parse

    if not app.settings.show_secrets:
        lines = _masked(lines)
    app.out.emit(Settings(parse(lines), lines))


def _masked(lines: str) -> str:
    """Hide the values of secrets and the credentials in URLs, in settings and in variables."""

    def hide(match: re.Match[str]) -> str:
        secret = match[2] and _SECRET.search(match[1])
        return f"{match[1]}={MASK}" if secret else match[0]

    def hide_variable(match: re.Match[str]) -> str:
        return f"{match[1]}={MASK}" if _SECRET.search(match[1].lower()) else match[0]

    masked = re.sub(PAIR.pattern, hide, lines, flags=re.MULTILINE)
    masked = re.sub(r"(MINIO_\w+)=(.+)", hide_variable, masked)
    return re.sub(r'://[^\s"]*@', f"://{MASK}@", masked)
