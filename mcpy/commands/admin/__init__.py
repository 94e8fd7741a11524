"""``mcpy admin``: administer a MinIO server and its KMS."""

from __future__ import annotations

import click

from mcpy.cli.base import Group


@click.group(
    cls=Group,
    lazy={
        "info": ("mcpy.commands.admin.info", "info", "Show the state of every node."),
        "service": ("mcpy.commands.admin.service", "service", "Restart, stop, freeze, unfreeze."),
        "kms": ("mcpy.commands.admin.kms", "kms", "Keys and settings of the server's KMS."),
        "config": (
            "mcpy.commands.admin.config",
            "config",
            "Show and change the settings a server keeps.",
        ),
    },
)
def admin() -> None:
    """Administer a MinIO server and its KMS."""
