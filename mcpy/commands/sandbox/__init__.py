"""``mcpy sandbox``: run the embedded KES and S3 server, find it again, stop it."""

from __future__ import annotations

import click

from mcpy.cli.base import Group

_SERVER = "mcpy.commands.sandbox.server"


@click.group(
    cls=Group,
    lazy={
        "start": (_SERVER, "start", "Start a sandbox; port 0 takes the port it had last, or any."),
        "stop": (_SERVER, "stop", "Stop the sandbox; its folder stays."),
        "status": (
            _SERVER,
            "status",
            "Show where the sandbox listens; exit code 5 when none is running.",
        ),
        "env": (
            _SERVER,
            "env",
            "Print the environment that makes `mcpy kes` and `kes` talk to it, as shell exports.",
        ),
        "fault": (
            "mcpy.commands.sandbox.fault",
            "fault",
            "Put FAULTs in place of those a running sandbox has; without any, show them.",
        ),
    },
)
def sandbox() -> None:
    """Run the embedded KES and S3 server. It works offline, with real envelope encryption.

    For tests, demos and drills on this machine; not for production.
    """
