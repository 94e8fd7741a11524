"""The options that ``encrypt objects`` and ``encrypt rotate`` share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli.many import jobs_option
from mcpy.cli.params import Parsed

if TYPE_CHECKING:
    from mcpy.fleet.rewrite.rate import Rate


def _rate(text: str) -> Rate:
    from mcpy.fleet.rewrite.rate import parse_rate

    return parse_rate(text)


def _size(text: str) -> int:
    from mcpy.fleet.rewrite.rate import parse_size

    return parse_size(text)


_FILE = click.Path(path_type=Path, dir_okay=False)
_OPTIONS = (
    click.option(
        "--dry-run",
        is_flag=True,
        help="Only say what would be rewritten, and exit as a run would; nothing is tried out.",
    ),
    click.option(
        "--list", "listed", is_flag=True, help="A line for every object, not only failures."
    ),
    click.option(
        "--verify",
        type=click.Choice(["quick", "full"]),
        default="quick",
        help="Compare the first and last 64 KiB of each object, or all of it. [quick]",
    ),
    click.option(
        "--max-rate", type=Parsed("RATE", _rate), help="At most 50/s objects, or 20MiB/s."
    ),
    click.option(
        "--journal",
        type=_FILE,
        metavar="FILE",
        help="Where to note what is done. [a file by itself]",
    ),
    click.option("--restart", is_flag=True, help="Do not go on with an interrupted run."),
    click.option(
        "--canary-inside",
        is_flag=True,
        help="Try out below .mcpy-canary/ in the bucket itself, where none can be made.",
    ),
    click.option(
        "--nobody-writes",
        is_flag=True,
        help="Accept a server that cannot tell whether an object changed meanwhile.",
    ),
    click.option(
        "--copy-limit",
        type=Parsed("SIZE", _size),
        help="Larger objects are copied in parts. [5TiB on MinIO, else 5GiB]",
    ),
)


def rewriting_options(command: Any) -> Any:  # noqa: ANN401 - click's decorators take and give anything
    """Add the options."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return jobs_option(command)
