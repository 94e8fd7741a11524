"""``mcpy encrypt``: the default encryption of buckets, and what is encrypted."""

from __future__ import annotations

import click

from mcpy.cli.base import Group

_DEFAULT = "mcpy.commands.encrypt.default"


@click.group(
    cls=Group,
    lazy={
        "set": (
            _DEFAULT,
            "set_",
            "Encrypt new objects in the buckets TARGET by default; sse-kms takes the KEY to use.",
        ),
        "info": (
            _DEFAULT,
            "info",
            "Show the default encryption of buckets; exit 5 when there is none.",
        ),
        "clear": (
            _DEFAULT,
            "clear",
            "Stop encrypting new objects by default; what is encrypted stays so.",
        ),
        "audit": (
            "mcpy.commands.encrypt.audit",
            "audit",
            "Count every object and version by scheme and key.",
        ),
        "impact": (
            "mcpy.commands.encrypt.impact",
            "impact",
            "Show what would become unreadable if KEY were locked or deleted.",
        ),
        "explain": (
            "mcpy.commands.encrypt.explain",
            "explain",
            "Show the chain of keys from the KMS to objects, and where each of them lives.",
        ),
        "plan": (
            "mcpy.commands.encrypt.plan",
            "plan",
            "Show how keys and buckets differ from FILE; exit 3 when anything does.",
        ),
        "apply": (
            "mcpy.commands.encrypt.apply",
            "apply",
            "Make keys and buckets what FILE says; what is so already stays untouched.",
        ),
        "objects": (
            "mcpy.commands.encrypt.objects",
            "objects",
            "Encrypt the objects below TARGET that are stored already, in place, on the server.",
        ),
        "rotate": (
            "mcpy.commands.encrypt.rotate",
            "rotate",
            "Take SSE-KMS objects below TARGET, all versions, to another key, and prove it.",
        ),
    },
)
def encrypt() -> None:
    """Set the default encryption of buckets; see what is encrypted and how, and encrypt it."""
