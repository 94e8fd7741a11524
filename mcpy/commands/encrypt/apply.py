"""``mcpy encrypt apply``: make keys and buckets what a file says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mcpy.cli.app import pass_app
from mcpy.cli.base import Command
from mcpy.cli.many import jobs_option
from mcpy.commands.encrypt.desired import (
    ItemShown,
    Summary,
    compared,
    hint_for,
    looked,
    no_objects_option,
    raise_outcome,
    tell_failure,
    tell_summary,
    width_of,
)
from mcpy.errors import McpyError

if TYPE_CHECKING:
    from mcpy.cli.app import App


@click.command("apply", cls=Command)
@click.argument("file", metavar="FILE")
@click.option("--expect", metavar="FINGERPRINT", help="Refuse unless `plan` would still say this.")
@no_objects_option
@jobs_option
@pass_app
def apply(app: App, file: str, *, expect: str | None, no_objects: bool, jobs: int) -> None:
    """Make keys and buckets what FILE says; what is so already stays untouched.

    Keys come first, then default encryptions, then policies; each is read back. What fails is
    said, the rest is done (exit 8), and a second run does what is missing. Objects are looked at
    and never rewritten: that is `mcpy encrypt objects`.
    """
    from mcpy.fleet.plan.act import Applying
    from mcpy.fleet.plan.canary import Canary
    from mcpy.fleet.plan.item import fingerprint

    items, sites = compared(app, file, jobs=jobs)
    found = fingerprint(items)
    if expect is not None and expect != found:
        raise McpyError(
            f"this is not what was planned: the fingerprint is {found} now, and not {expect}",
            hint=hint_for("plan", file),
        )
    tried = sum(item.state in {"change", "failed"} for item in items)
    width = width_of(app, items)
    done = []
    changed = Applying(sites, Canary(say=app.out.warn)).run(items)
    for item in changed if no_objects else looked(app, changed, sites, jobs=jobs):
        done.append(item)
        if item.state != "same":
            app.out.done(ItemShown("apply", item, width))
        if tried > 1:  # a failure alone is the error the command ends with
            tell_failure(app, item)
    tell_summary(app, Summary("apply", done))
    raise_outcome(done, file, tried=tried, hint=hint_for("plan", file))
