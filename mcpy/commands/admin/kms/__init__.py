"""``mcpy admin kms``: the keys and settings of a server's KMS."""

from __future__ import annotations

import click

from mcpy.cli.base import Group


@click.group(
    cls=Group,
    lazy={
        "key": ("mcpy.commands.admin.kms.key", "key", "Create, list and try keys."),
        "env": (
            "mcpy.commands.admin.kms.env",
            "env",
            "Print the settings that make the server use KES, or write them.",
        ),
        "status": (
            "mcpy.commands.admin.kms.status",
            "status",
            "Show the KMS, its default key and endpoints; fails when an endpoint does not answer.",
        ),
    },
)
def kms() -> None:
    """Keys and settings of the server's KMS."""
