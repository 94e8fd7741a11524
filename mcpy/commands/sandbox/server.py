"""``mcpy sandbox start``, ``stop``, ``status`` and ``env``: the process that serves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli.app import pass_app
from mcpy.cli.base import Command
from mcpy.cli.params import FOLDER
from mcpy.commands.sandbox.alias import ALIAS, refuse_alias, take_alias, warn_of_alias
from mcpy.environment import KES_VARIABLES
from mcpy.errors import NotFoundError
from mcpy.models import check_alias_name
from mcpy.sandbox.like import NAMES
from mcpy.sandbox.needs import check_packages

if TYPE_CHECKING:
    from mcpy.cli.app import App
    from mcpy.sandbox.home import Home, State


_OPTIONS = {"faults": "fault", "seed": "fault-seed"}
"""Options that are not called as what they are passed on as."""

_dir_option = click.option(
    "--dir",
    "folder",
    type=FOLDER,
    help="Where keys, objects and credentials lie; by default in the user's data folder.",
)


@dataclass(frozen=True)
class Running:
    """A sandbox and where it listens."""

    folder: Path
    state: State
    failure: str | None = None

    def data(self) -> dict[str, Any]:
        """Return addresses, process and folder."""
        state = self.state
        return {
            "status": "success",
            "s3": state.s3_url,
            "kes": state.kes_url,
            "pid": state.pid,
            "started": state.started,
            "dir": str(self.folder),
            "alias": state.alias,
            "like": state.like,
        }

    def text(self) -> str:
        """Return one fact a line."""
        alias = f"alias {self.state.alias}" if self.state.alias else "no alias"
        rows = [
            ("S3", f"{self.state.s3_url} ({alias})"),
            *([("like", self.state.like)] if self.state.like != "minio" else []),
            ("KES", self.state.kes_url),
            ("process", f"{self.state.pid}, since {self.state.started}"),
            ("folder", str(self.folder)),
        ]
        return "\n".join(f"{name:<9}{value}" for name, value in rows)


@dataclass(frozen=True)
class Stopped:
    """What ``sandbox stop`` found."""

    folder: Path
    was_running: bool

    def data(self) -> dict[str, Any]:
        """Return whether there was anything to stop."""
        return {"status": "success", "dir": str(self.folder), "stopped": self.was_running}

    def text(self) -> str:
        """Return one line."""
        if self.was_running:
            return f"Stopped the sandbox in {self.folder}."
        return f"No sandbox is running in {self.folder}: nothing to stop."


@dataclass(frozen=True)
class Variables:
    """What makes mcpy and kes talk to a sandbox; ``others`` would lead them elsewhere."""

    variables: dict[str, str]
    others: tuple[str, ...] = ()

    def data(self) -> dict[str, Any]:
        """Return the variables, and those that must not be set."""
        return {"status": "success", "env": self.variables, "unset": list(self.others)}

    def text(self) -> str:
        """Return what a shell is to evaluate."""
        lines = [f"export {n}={quote(v)}" for n, v in self.variables.items()]
        return "\n".join(([f"unset {' '.join(self.others)}"] if self.others else []) + lines)


@click.command("start", cls=Command)
@_dir_option
@click.option("-d", "--detach", is_flag=True, help="Return once it serves; it runs on.")
@click.option(
    "--s3",
    default="127.0.0.1:0",
    show_default=True,
    metavar="HOST:PORT",
    help="Where S3 and the admin API listen.",
)
@click.option(
    "--kes",
    default="127.0.0.1:0",
    show_default=True,
    metavar="HOST:PORT",
    help="Where KES listens.",
)
@click.option("--tls", is_flag=True, help="S3 over TLS too; KES always is.")
@click.option(
    "--kes-config",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A KES configuration to serve instead of its own, with any keystore it names.",
)
@click.option(
    "--kms-key",
    metavar="KEY",
    help="Let the S3 server encrypt at once: KES is its KMS, with this default key.",
)
@click.option(
    "--like",
    type=click.Choice(NAMES),
    help="The server to be like, its dangers included; by default the last one, or minio.",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="FAULT",
    help="What is to go wrong, as `mcpy sandbox fault` takes it; repeatable.",
)
@click.option(
    "--fault-seed",
    "seed",
    type=int,
    default=0,
    help="Decides which requests meet a fault that has a share.",
)
@click.option("--allow-remote", is_flag=True, help="Take addresses other machines can reach.")
@click.option(
    "--alias",
    metavar="NAME",
    help="The alias to write; by default the one it had last, or `play`.",
)
@pass_app
def start(
    app: App,
    /,
    folder: Path | None,
    detach: bool,
    alias: str | None,
    **options: Any,  # noqa: ANN401
) -> None:
    """Start a sandbox; port 0 takes the port it had last, or any.

    An alias of anything but a sandbox is never replaced; one asked for with --alias that cannot
    be had ends it. SIGHUP makes its KES read its configuration again.

    Without --kms-key the S3 server has no KMS at first, as a new MinIO has none: make a key, write
    the MINIO_KMS_KES_* settings into DIR/minio.env with `mcpy admin kms env`, restart the service.
    """
    check_packages()
    name = check_alias_name(alias) if alias is not None else None
    home = _home(folder)
    if name:
        refuse_alias(app, home, name)
    if detach:
        _start_detached(app, home, name, options)
        return
    from mcpy.sandbox import daemon
    from mcpy.sandbox.play import Sandbox

    daemon.run_foreground(Sandbox(home.path, **options), lambda _: _announce(app, home, name))


def _start_detached(app: App, home: Home, name: str | None, options: dict[str, Any]) -> None:
    from mcpy.sandbox import daemon

    last = home.read_state()
    words = ["--config-dir", str(app.store.folder), *_arguments({**options, "alias": name})]
    state = daemon.detach(home.path, words)
    if not state.alias:
        # the other process wrote none, and could tell nobody why
        warn_of_alias(app, home, name or (last.alias if last else "") or ALIAS)
    _warn_of_modes(app, home)
    app.out.emit(Running(home.path, state))
    app.out.note(f'next: eval "$(mcpy sandbox env{home.option})"')


@click.command("stop", cls=Command)
@_dir_option
@pass_app
def stop(app: App, folder: Path | None) -> None:
    """Stop the sandbox; its folder stays."""
    from mcpy.sandbox import daemon

    home = _home(folder)
    app.out.done(Stopped(home.path, daemon.stop(home.path)))


@click.command("status", cls=Command)
@_dir_option
@pass_app
def status(app: App, folder: Path | None) -> None:
    """Show where the sandbox listens; exit code 5 when none is running."""
    home = _home(folder)
    app.out.emit(Running(home.path, _state(home)))


@click.command("env", cls=Command)
@_dir_option
@pass_app
def env(app: App, folder: Path | None) -> None:
    """Print the environment that makes `mcpy kes` and `kes` talk to it, as shell exports.

    `kes` trusts the system's authorities alone: give it SSL_CERT_FILE=$MCPY_KES_CA, or -k.

    Variables that are set and would lead them to another KES are unset. Its S3 server is an
    alias, written when it started: `mcpy sandbox status` names it.
    """
    home = _home(folder)
    variables = _variables(home, _state(home))
    named = [name for names in KES_VARIABLES.values() for name in names]
    # some names go before those of `kes`: a key must not go at the KES of production instead
    others = [name for name in named if name in app.environ and name not in variables]
    app.out.emit(Variables(variables, tuple(others)))


def _home(folder: Path | None) -> Home:
    from mcpy.sandbox.home import Home

    return Home.at(folder)


def _state(home: Home) -> State:
    from mcpy.sandbox import daemon

    state = daemon.status(home.path)
    if state is None:
        raise NotFoundError(
            f"no sandbox is running in {home.path}",
            hint=f"mcpy sandbox start --detach{home.option}",
        )
    return state


def _announce(app: App, home: Home, name: str | None) -> None:
    state = _state(home)
    taken = take_alias(app, home, state, name or state.alias or ALIAS)
    state = replace(state, alias=taken)
    home.write_state(state)
    _warn_of_modes(app, home)
    app.out.emit(Running(home.path, state))
    app.out.note("Ctrl-C stops it")
    app.out.flush()


def _warn_of_modes(app: App, home: Home) -> None:
    for path, mode in home.exposed():
        app.out.warn(f"others can get at {path} (mode {mode:o}): chmod go= {quote(str(path))}")


def _variables(home: Home, state: State) -> dict[str, str]:
    return {
        "KES_SERVER": state.kes_url,
        "KES_CLIENT_KEY": str(home.certs / "root.key"),
        "KES_CLIENT_CERT": str(home.certs / "root.cert"),
        "MCPY_KES_CA": str(home.certs / "ca.crt"),
    }


def _arguments(options: dict[str, Any]) -> list[str]:
    """Return the options of ``start`` as they would be typed."""
    words = []
    for name, value in options.items():
        option = f"--{_OPTIONS.get(name, name).replace('_', '-')}"
        if value is True:
            words.append(option)
        elif isinstance(value, tuple):
            words += [word for item in value for word in (option, item)]
        elif value not in (None, False, 0):  # what is empty is for the other process to refuse
            words += [option, str(value.absolute() if isinstance(value, Path) else value)]
    return words
