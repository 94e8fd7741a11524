"""``mcpy sandbox``: run the embedded KES and S3 server, find it again, stop it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from mcpy.cli.app import pass_app
from mcpy.cli.base import Group
from mcpy.errors import ConfigError, NoAliasError, NotFoundError
from mcpy.models import Alias, KesProfile

if TYPE_CHECKING:
    from mcpy.cli.app import App
    from mcpy.sandbox.home import Home, State

ALIAS = "play"
# MinIO's public sandbox, which every config of mc names, is no more
GONE = "play.min.io"
_NEEDED = ("cheroot", "OpenSSL", "yaml")

_dir_option = click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
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
        }

    def text(self) -> str:
        """Return one fact a line."""
        rows = [
            ("S3", f"{self.state.s3_url} (alias {ALIAS})"),
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
    """What makes mcpy and kes talk to a sandbox."""

    variables: dict[str, str]

    def data(self) -> dict[str, Any]:
        """Return the variables."""
        return {"status": "success", "env": self.variables}

    def text(self) -> str:
        """Return shell exports."""
        return "\n".join(f"export {n}={quote(v)}" for n, v in self.variables.items())


@click.group(cls=Group)
def sandbox() -> None:
    """Run the embedded KES and S3 server. It works offline, with real envelope encryption.

    For tests, demos and drills on this machine; not for production.
    """


@sandbox.command("start")
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
    help="A KES configuration (keystore fs) to serve instead of its own.",
)
@click.option("--allow-remote", is_flag=True, help="Take addresses other machines can reach.")
@pass_app
def start(app: App, /, folder: Path | None, detach: bool, **options: Any) -> None:  # noqa: ANN401
    """Start a sandbox; port 0 takes the port it had last, or any.

    The S3 server has no KMS at first, as a new MinIO has none: make a key, write the
    MINIO_KMS_KES_* settings into DIR/minio.env with `mcpy admin kms env`, restart the service.
    """
    _check_packages()
    from mcpy.sandbox import daemon

    home = _home(folder)
    if detach:
        words = ["--config-dir", str(app.store.folder), *_arguments(options)]
        state = daemon.detach(home.path, words)
        _write_alias(app, home, state)
        app.out.emit(Running(home.path, state))
        app.out.note(f'next: eval "$(mcpy sandbox env{_dir_argument(folder)})"')
        return
    from mcpy.sandbox.play import Sandbox

    daemon.run_foreground(Sandbox(home.path, **options), lambda _: _announce(app, home))


@sandbox.command("stop")
@_dir_option
@pass_app
def stop(app: App, folder: Path | None) -> None:
    """Stop the sandbox; its folder stays."""
    from mcpy.sandbox import daemon

    home = _home(folder)
    app.out.done(Stopped(home.path, daemon.stop(home.path)))


@sandbox.command("status")
@_dir_option
@pass_app
def status(app: App, folder: Path | None) -> None:
    """Show where the sandbox listens; exit code 5 when none is running."""
    home = _home(folder)
    app.out.emit(Running(home.path, _state(home)))


@sandbox.command("env")
@_dir_option
@pass_app
def env(app: App, folder: Path | None) -> None:
    """Print the environment that makes `mcpy kes` and `kes` talk to it, as shell exports.

    Its S3 server is the alias `play`, written when it started.
    """
    home = _home(folder)
    app.out.emit(Variables(_variables(home, _state(home))))


def _home(folder: Path | None) -> Home:
    from mcpy.sandbox.home import Home, default_dir

    return Home((folder or default_dir()).absolute())


def _state(home: Home) -> State:
    from mcpy.sandbox import daemon

    state = daemon.status(home.path)
    if state is None:
        raise NotFoundError(
            f"no sandbox is running in {home.path}", hint="mcpy sandbox start --detach"
        )
    return state


def _announce(app: App, home: Home) -> None:
    state = _state(home)
    _write_alias(app, home, state)
    app.out.emit(Running(home.path, state))
    app.out.note("Ctrl-C stops it")
    app.out.flush()


def _variables(home: Home, state: State) -> dict[str, str]:
    return {
        "KES_SERVER": state.kes_url,
        "KES_CLIENT_KEY": str(home.certs / "root.key"),
        "KES_CLIENT_CERT": str(home.certs / "root.cert"),
        "MCPY_KES_CA": str(home.certs / "ca.crt"),
    }


def _write_alias(app: App, home: Home, state: State) -> None:
    """Make the alias ``play`` mean this sandbox, unless it is somebody's server elsewhere."""
    try:
        found = app.store.get(ALIAS)
    except NoAliasError:
        found = None
    host = urlsplit(found.url).hostname if found else None
    if host and host != GONE and not _is_loopback(host):
        app.out.warn(f"the alias `{ALIAS}` is {host}, and stays so: the sandbox has no alias")
        return
    app.store.put(_alias(app, home, state))


def _is_loopback(host: str) -> bool:
    return host in {"localhost", "::1"} or host.startswith("127.")


def _alias(app: App, home: Home, state: State) -> Alias:
    environment = home.environment()
    ca = str(home.certs / "ca.crt")
    return Alias(
        name=ALIAS,
        url=state.s3_url,
        access_key=environment.get("MINIO_ROOT_USER", ""),
        secret_key=environment.get("MINIO_ROOT_PASSWORD", ""),
        ca=ca if state.s3_url.startswith("https:") else "",
        kes=KesProfile(
            server=state.kes_url,
            client_cert=str(home.certs / "root.cert"),
            client_key=str(home.certs / "root.key"),
            ca=ca,
        ),
        source=str(app.store.path),
    )


def _arguments(options: dict[str, Any]) -> list[str]:
    """Return the options of ``start`` as they would be typed."""
    words = []
    for name, value in options.items():
        option = f"--{name.replace('_', '-')}"
        if value is True:
            words.append(option)
        elif value:
            words += [option, str(value.absolute() if isinstance(value, Path) else value)]
    return words


def _dir_argument(folder: Path | None) -> str:
    return f" --dir {quote(str(folder))}" if folder else ""


def _check_packages() -> None:
    from importlib.util import find_spec

    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"the sandbox needs packages that are not installed ({', '.join(missing)})",
            hint="pip install 'mcpy-admin[sandbox]'",
        )
