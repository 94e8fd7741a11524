"""``mcpy keystore``: the KMS behind KES, as a KES configuration names it."""

from __future__ import annotations

import click

from mcpy.cli.base import Group

_CHECK, _LOCKS = "mcpy.commands.keystore.check", "mcpy.commands.keystore.lock"


@click.group(
    cls=Group,
    lazy={
        "check": (
            _CHECK,
            "check_",
            "Sign in, and prove each permission with an entry that is removed again.",
        ),
        "ls": (
            _CHECK,
            "ls",
            "List the entries whose names match PATTERN, all of them, locked ones too.",
        ),
        "lock": (_LOCKS, "lock", "Make a key unusable until it is unlocked."),
        "unlock": (_LOCKS, "unlock", "Make a locked key usable again."),
        "erase": ("mcpy.commands.keystore.erase", "erase", "Destroy a key for ever."),
        "copy": ("mcpy.commands.keystore.copy", "copy_", "Copy keys to another keystore."),
    },
)
def keystore() -> None:
    """Check, lock, erase and copy keys at the KMS behind KES.

    The provider and its credentials are read from the config file of the KES server, variables
    in it from the environment.
    """
