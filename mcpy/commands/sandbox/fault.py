"""``mcpy sandbox fault``: let a running sandbox go wrong, and right again."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli.app import pass_app
from mcpy.cli.base import Command
from mcpy.cli.params import FOLDER
from mcpy.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mcpy.cli.app import App
    from mcpy.sandbox.home import Home, State


@dataclass(frozen=True)
class FaultsOn:
    """What goes wrong in a sandbox, and how many requests met it."""

    fired: dict[str, int]
    seed: int

    def data(self) -> dict[str, Any]:
        """Return the faults as they were asked for, with the requests that met each."""
        faults = [{"fault": text, "requests": count} for text, count in self.fired.items()]
        return {"status": "success", "faults": faults, "seed": self.seed}

    def text(self) -> str:
        """Return one fault a line."""
        if not self.fired:
            return "Nothing goes wrong."
        return "\n".join(f"{text}  ({count} requests)" for text, count in self.fired.items())


@click.command("fault", cls=Command)
@click.argument("faults", nargs=-1, metavar="[FAULT]...")
@click.option("--clear", is_flag=True, help="End all faults.")
@click.option(
    "--dir",
    "folder",
    type=FOLDER,
    help="The sandbox's folder; by default in the user's data folder.",
)
@pass_app
def fault(app: App, faults: tuple[str, ...], clear: bool, folder: Path | None) -> None:
    """Put FAULTs in place of those a running sandbox has; without any, show them.

    A FAULT is NAME[=VALUE][@WHERE][:SHARE]: `busy`, `delay=200ms@GET`, `reset@PUT/bucket/*:0.1`,
    `lost@PUT:1x`, `close@kes`, `kes-down`, `key-lost=KEY`. docs/sandbox.md lists them.
    """
    from mcpy.sandbox import daemon
    from mcpy.sandbox.faults import parse
    from mcpy.sandbox.home import Home

    if clear and faults:
        raise InputError("--clear ends all faults: it takes none")
    for text in faults:
        parse(text)
    home = Home.at(folder)
    state = daemon.status(home.path)
    if state is None:
        raise NotFoundError(
            f"no sandbox is running in {home.path}",
            hint=f"mcpy sandbox start --detach{home.option}",
        )
    app.out.emit(_ask(app, home, state, faults if faults or clear else None))


def _ask(app: App, home: Home, state: State, faults: Sequence[str] | None) -> FaultsOn:
    """Put ``faults`` in place, None to look only, and return what there is then."""
    from mcpy.api.http import Call, HttpClient
    from mcpy.api.refusals import s3_refusal
    from mcpy.sandbox.faults import PATH

    environment = home.environment()
    user, password = (environment.get(f"MINIO_ROOT_{name}", "") for name in ("USER", "PASSWORD"))
    basic = base64.b64encode(f"{user}:{password}".encode()).decode()
    app.out.hide(password, basic)
    client = HttpClient(
        state.s3_url, app.http_options(str(home.certs / "ca.crt")), refusal=s3_refusal
    )
    app.at_end(client.close)
    call = Call(
        "GET" if faults is None else "PUT",
        PATH,
        {"authorization": f"Basic {basic}"},
        b"" if faults is None else json.dumps(list(faults)).encode(),
        repeatable=True,
    )
    document = json.loads(client.request(call).body)
    return FaultsOn(document["fired"], document["seed"])
