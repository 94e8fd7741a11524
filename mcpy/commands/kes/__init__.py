"""``mcpy kes``: administer a KES server."""

from __future__ import annotations

import click

from mcpy.cli.base import Group, version_option


@click.group(
    cls=Group,
    lazy={
        "key": ("mcpy.commands.kes.key", "key", "Create, import, show, use and remove keys."),
        "identity": (
            "mcpy.commands.kes.identity",
            "identity",
            "Make, compute and look up identities.",
        ),
        "ls": ("mcpy.commands.kes.ls", "ls", "List keys, identities or policies."),
        "policy": (
            "mcpy.commands.kes.policy",
            "policy",
            "Show policies, and check that they let MinIO work.",
        ),
        "status": ("mcpy.commands.kes.status", "status", "Show the state of the server."),
        "version": ("mcpy.commands.kes.version", "version", "Show the version of the server."),
        "log": ("mcpy.commands.kes.log", "log", "Follow the audit or error log."),
        "metric": ("mcpy.commands.kes.metric", "metric", "Show the server's counters."),
        "config": (
            "mcpy.commands.kes.config",
            "config",
            "Write and judge the configuration of a KES server.",
        ),
    },
)
@version_option
def kes() -> None:
    """Administer a KES server: keys, identities, status.

    The server and the client's identity come from options, from the environment of kes
    (KES_SERVER, KES_CLIENT_KEY and KES_CLIENT_CERT, or KES_API_KEY; MCPY_KES_CA trusts the
    server), or from an alias (--alias).
    """
