"""``mcpy encrypt audit``: every object and version by scheme and key."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NoReturn

import click

from mcpy.cli.app import pass_app
from mcpy.cli.base import Command
from mcpy.cli.many import buckets_of, jobs_of
from mcpy.cli.params import TARGETS, Parsed, is_pattern
from mcpy.commands.encrypt.audit_run import AuditRun
from mcpy.errors import InputError
from mcpy.models import Target

if TYPE_CHECKING:
    from mcpy.cli.app import App
    from mcpy.fleet.audit import Requirement

LISTED = ("all", "violations", "plain", "sse-s3", "sse-kms", "sse-c", "unknown", "unreadable")


def _requirement(text: str) -> Requirement:
    from mcpy.fleet.audit import Requirement

    return Requirement.parse(text)


def _open(text: str) -> int:
    from mcpy.fleet.audit.run import ALL

    if text == "all":
        return ALL
    number = int(text) if re.fullmatch("[0-9]{1,9}", text) else 0
    if not 0 < number <= MOST_OPENED:
        raise InputError(f"`{text}` is neither `all` nor a number up to {MOST_OPENED}")
    return number


MOST_OPENED = 10_000


class _Kind(click.Choice[str]):
    """A kind of versions; click takes what follows ``--list`` for one."""

    def fail(self, message: str, param: Any = None, ctx: Any = None) -> NoReturn:  # noqa: ANN401 - click's
        """Say what to type where a target came to stand there."""
        wanted = "`--list violations` is what --list alone means, or put --list last"
        super().fail(f"{message.rstrip('.')}; {wanted}", param, ctx)


@click.command("audit", cls=Command)
@click.argument("targets", nargs=-1, required=True, type=TARGETS, metavar="TARGET...")
@click.option("--latest", is_flag=True, help="The latest versions only.")
@click.option(
    "--require",
    type=Parsed("SCHEME", _requirement),
    metavar="SCHEME[:KEY]",
    help="Exit 3 unless each is so: sse-s3, sse-kms, sse-kms:KEY, or `any` for encrypted at all.",
)
@click.option(
    "--decrypt-check",
    "open_",
    type=Parsed("N|all", _open),
    metavar="N|all",
    help="Read one byte of N versions of each scheme and key, or of all; exit 3 when one fails.",
)
@click.option(
    "--list",
    "listed",
    multiple=True,
    is_flag=False,
    flag_value="violations",
    type=_Kind(LISTED),
    help="Name each version of this kind too, in the files as well; by itself violations, which "
    "are all unknown and unreadable ones where nothing is required.",
)
@click.option(
    "--csv",
    "csv_file",
    type=click.Path(dir_okay=False),
    help="Write the table there; with --list a line for each version it names.",
)
@click.option(
    "--html", "html_file", type=click.Path(dir_okay=False), help="Write a page with charts there."
)
@click.option(
    "--resume",
    type=click.Path(dir_okay=False),
    help="Keep in this file how far it is, and go on from there.",
)
@jobs_of("Requests", 8)
@pass_app
def audit(app: App, /, targets: tuple[Target, ...], **options: Any) -> None:  # noqa: ANN401 - click's
    """Count every object and version by scheme and key.

    TARGET is an alias, a bucket, a prefix, or a pattern over buckets, such as 'ALIAS/app-*'.
    Beside it stands its bucket's default. What a server says of an object is what is shown; what
    is on its disks nobody outside can see.

    An object whose encryption may not be seen is unknown, and one that the KMS cannot open is
    unreadable: neither passes --require.

    In a pipe each line has columns with tabs between them. First a word: `bucket` (a target),
    `sum` (all of them), `version` (one that is named), `more` (how many are not) or `incomplete`
    (a target that was not all seen, and why). With bucket:
    target, default and its key, then scheme, key, objects, their bytes, older versions, their
    bytes, versions that were opened, versions that could not be. With version: scheme, key, bytes,
    version id, name, reason.
    """
    from mcpy.cli.documents import check_writable

    app.bulk()
    check_writable(options["csv_file"], options["html_file"], options["resume"])
    run = AuditRun(app, _places(app, targets), options, _unlisted(app, targets))
    run.all()
    run.finish()


def _places(app: App, targets: tuple[Target, ...]) -> list[Target]:
    """Return buckets and prefixes, none of which lies in another."""
    every = [t if t.bucket else Target(t.alias, "*") for t in targets]
    found = buckets_of(app, every)
    return [one for one in found if not any(_covers(other, one) for other in found)]


def _unlisted(app: App, targets: tuple[Target, ...]) -> dict[str, str]:
    """Return for each alias of which all buckets are meant why some may be missing; of MinIO."""
    from mcpy.api.minio_account import unlisted

    aliases = dict.fromkeys(t.alias for t in targets if not t.bucket or is_pattern(t.bucket))
    whys = {name: unlisted(app.admin(name)) for name in aliases if app.s3(name).is_minio}
    return {
        name: f"whether these are all its buckets is not known: {why}"
        for name, why in whys.items()
        if why
    }


def _covers(other: Target, one: Target) -> bool:
    from mcpy.fleet.transfer.walk import is_below

    same = (other.alias, other.bucket) == (one.alias, one.bucket)
    return same and other != one and is_below(one.key, other.key)
