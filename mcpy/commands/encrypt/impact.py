"""``mcpy encrypt impact``: what would become unreadable without a key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mcpy import __version__
from mcpy.cli import page as html
from mcpy.cli.app import pass_app
from mcpy.cli.base import Command
from mcpy.cli.impact import ImpactReport, measured, verdict_of
from mcpy.cli.many import jobs_of
from mcpy.cli.output import printable
from mcpy.cli.page import Cell, Part
from mcpy.cli.params import ALIAS, KEY
from mcpy.cli.sizes import human_size, plural
from mcpy.errors import FindingError, NotFoundError, PartialError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcpy.cli.app import App
    from mcpy.fleet.impact import Impact, ServerImpact

_HONEST = (
    "SSE-KMS objects name their key. Of an SSE-S3 object no server tells the key: it is the one "
    "that was the server's default when the object was written.",
    "MinIO never lists an object below the name of another (a/b beside a): none is in here.",
    "Other programs that use the key through KES, and servers that were not asked, are not in "
    "this report.",
)


@click.command("impact", cls=Command)
@click.argument("key", type=KEY)
@click.argument("aliases", nargs=-1, required=True, type=ALIAS, metavar="ALIAS...")
@click.option(
    "--never-default",
    is_flag=True,
    help="The key never was a server's default: SSE-S3 objects do not need it.",
)
@click.option("--save", metavar="FILE", help="Keep the report, for `kes key rm --impact-report`.")
@click.option("--html", "html_file", metavar="FILE", help="Write it as a page there.")
@jobs_of("Requests")
@pass_app
def impact(  # noqa: PLR0913 - options
    app: App,
    key: str,
    aliases: tuple[str, ...],
    *,
    never_default: bool,
    save: str | None,
    html_file: str | None,
    jobs: int,
) -> None:
    """Show what would become unreadable if KEY were locked or deleted.

    Every version in every bucket of every ALIAS is looked at. Exit 0 says that nothing the
    servers list depends on KEY, and that all of it was looked at; 3 that something does; 8 that
    nothing certainly does, and that the answer is not complete; 5 that no KMS has such a key and
    that nothing names it.

    What MinIO never lists is not looked at: an object below the name of another (a/b beside a).
    Credentials have to be allowed s3:ListAllMyBuckets on every bucket, else it is 8; what else:
    docs/permissions.md.
    """
    from mcpy.cli.documents import check_writable, write_text
    from mcpy.fleet.impact.report import save as saved

    check_writable(save, html_file)
    (found,) = measured(app, [key], aliases, never_default=never_default, jobs=jobs)
    if save:
        write_text(save, saved([found]))
    if html_file:
        write_text(html_file, page(found))
    app.out.emit(ImpactReport(found))
    if found.verdict == "some":
        raise FindingError(f"`{key}` is needed: {_needed_by(found)}")
    if found.unknown_key:
        named = ", ".join(f"`{one.alias}`" for one in found.servers)
        raise NotFoundError(
            f"the KMS of {named} has no key `{key}`, and no object is under it",
            hint=f"mcpy admin kms key list {found.servers[0].alias}",
        )
    if found.verdict == "incomplete":
        raise PartialError(f"whether anything depends on `{key}` is not known for certain")


def _needed_by(found: Impact) -> str:
    if found.answer == "0":
        return "no version depends on it, and uploads or a server do"
    verb = "depends" if found.answer == "1" else "depend"
    noun = "version" if found.answer == "1" else "versions"
    return f"{found.answer} {noun} {verb} on it"


def page(found: Impact) -> str:
    """Return the report as an HTML page."""
    servers = plural(len(found.servers), "server")
    return html.document(
        f"What depends on the key {found.key}",
        under=f"{found.created} · {servers} · mcpy {__version__}",
        body=_body(found),
        foot=_HONEST,
    )


def _body(found: Impact) -> Iterator[str]:
    possible = found.at_stake - found.certain
    size = sum(one.certain.size for one in found.servers)
    yield html.tiles(
        [
            (f"{found.certain:,}", "versions need it", "bad" if found.certain else "good"),
            (human_size(size), "their size", ""),
            (f"{possible:,}", "versions possibly need it", "bad" if possible else "good"),
            ("yes" if found.complete else "no", "complete", "good" if found.complete else "bad"),
        ]
    )
    yield html.paragraph(verdict_of(found), "good" if found.verdict == "none" else "bad")
    for one in found.servers:
        rows = [
            [Cell(name), Cell(printable(value))] for name, value in ImpactReport(found).rows(one)
        ]
        yield html.panel(
            one.alias,
            one.url,
            [
                html.bar(_parts(found, one), "Versions by whether they need the key"),
                html.table([Cell("What"), Cell("Depends on the key")], rows),
            ],
        )


def _parts(found: Impact, one: ServerImpact) -> list[Part]:
    possible = found.possible(one)
    return [
        Part("plain", "need it", one.certain.number, plural(one.certain.number, "version")),
        Part("unknown", "possibly need it", possible, plural(possible, "version")),
    ]
