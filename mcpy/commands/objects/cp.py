"""``mcpy cp``: between files and objects, and from object to object."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli.app import pass_app
from mcpy.cli.base import Command
from mcpy.cli.enc import enc_options, enc_rules
from mcpy.cli.ends import STREAM, End, read_end
from mcpy.cli.many import jobs_option
from mcpy.cli.multipart import MAX_PARALLEL, parallel, part_limits
from mcpy.cli.params import AGE, MOMENT
from mcpy.commands.objects.cp_jobs import How, plan, run
from mcpy.commands.objects.cp_report import Report, Summary, Tally
from mcpy.errors import InputError, UnsupportedError
from mcpy.models import Target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcpy.cli.app import App


# mc's names: the algorithm, and whether it is over the whole object and not over its parts
_CHECKSUMS = {
    "SHA256": ("SHA256", False),
    "SHA1": ("SHA1", False),
    "CRC32": ("CRC32", False),
    "CRC32C": ("CRC32C", False),
    "CRC32-FO": ("CRC32", True),
    "CRC32C-FO": ("CRC32C", True),
    "CRC64NVME": ("CRC64NVME", True),
    "CRC64N": ("CRC64NVME", True),
    "MD5": ("SHA256", False),  # better, and no server keeps an MD5
}


@click.command("cp", cls=Command)
@click.argument("paths", nargs=-1, required=True, metavar="SOURCE... TARGET")
@click.option("--recursive", "-r", is_flag=True, help="All that is below folders and prefixes.")
@enc_options
@click.option("--decrypt", is_flag=True, help="Let copies of encrypted objects be plaintext.")
@click.option("--version-id", "--vid", default="", help="This version of the source.")
@click.option("--rewind", type=MOMENT, help="The versions that were the latest then.")
@click.option("--older-than", type=AGE, help="What is older than 7d10h.")
@click.option("--newer-than", type=AGE, help="What is newer than 7d10h.")
@click.option("--attr", default="", metavar="NAME=VALUE;...", help="Headers and metadata.")
@click.option("--tags", default="", metavar="NAME=VALUE&...", help="Tags.")
@click.option("--storage-class", "--sc", default="", help="Storage class of the copies.")
@click.option(
    "--retention-mode",
    type=click.Choice(["governance", "compliance"], case_sensitive=False),
    help="How --retention-duration locks the copies.",
)
@click.option(
    "--retention-duration", default="", metavar="30d|1y", help="Lock the copies so long."
)
@click.option(
    "--legal-hold",
    type=click.Choice(["on", "off"], case_sensitive=False),
    help="Lock the copies until the hold is lifted.",
)
@click.option("--preserve", "-a", is_flag=True, help="Keep files' mode, owner and times.")
@click.option(
    "--checksum",
    type=click.Choice(list(_CHECKSUMS), case_sensitive=False),
    default="SHA256",
    metavar="ALGORITHM",
    help="Kept with uploads: SHA1, CRC32, CRC32C, CRC64NVME or [SHA256].",
)
@click.option("--zip", "in_zip", is_flag=True, hidden=True, help="Refused: mc's option.")
@click.option("--md5", is_flag=True, hidden=True, help="Nothing: every upload is hashed.")
@click.option("--disable-multipart", is_flag=True, help="Store everything in one request.")
@click.option("--resume", "--continue", is_flag=True, help="Keep and use what arrived before.")
@click.option(
    "--parallel",
    type=click.IntRange(1, MAX_PARALLEL),
    metavar="N",
    help="Parts of a large object at a time. [4]",
)
@jobs_option
@pass_app
def cp(app: App, /, paths: tuple[str, ...], **options: Any) -> None:  # noqa: ANN401 - click's options
    """Copy files and objects, in every direction. `-` is a standard stream.

    A PREFIX is ALIAS/BUCKET or more, and covers what lies below it. What was stored is looked at
    again: an object that is not encrypted as asked is an error. A copy from object to object is
    encrypted as its source is, unless --enc-s3, --enc-kms, --enc-c or --decrypt says otherwise.
    """
    if len(paths) == 1 and (options["enc_s3"] or options["enc_kms"] or options["enc_c"]):
        name = next(name for name in ("enc_s3", "enc_kms", "enc_c") if options[name])
        option = "--" + name.replace("_", "-")
        # a value of --enc-c may hold a key, and is not repeated
        taken = "the path behind it" if name == "enc_c" else f"`{options[name][-1]}`"
        raise InputError(
            f"{option} takes a PREFIX: it took {taken}, and cp has one path left",
            hint=f"mcpy cp {option} PREFIX{'' if name == 'enc_s3' else '=KEY'} SOURCE... TARGET",
        )
    if len(paths) < 2:
        raise InputError("cp needs a source and a target", hint="mcpy cp SOURCE... TARGET")
    *sources, target = (read_end(app, path) for path in paths)
    app.bulk()
    how = _how(app, options)
    _check_rules(app, how, sources, target)
    _copy(app, sources, target, how, jobs=options["jobs"])


def _how(app: App, options: dict[str, Any]) -> How:
    from mcpy.fleet.transfer import Checksum, Pace
    from mcpy.fleet.transfer.attributes import parse_attributes, parse_retention, parse_tags

    if options["in_zip"]:
        raise UnsupportedError("cp does not look into zip archives")
    headers = parse_attributes(options["attr"])
    headers |= parse_tags(options["tags"])
    headers |= (
        {"x-amz-storage-class": options["storage_class"]} if options["storage_class"] else {}
    )
    headers |= parse_retention(options["retention_mode"] or "", options["retention_duration"])
    if options["legal_hold"]:
        headers["x-amz-object-lock-legal-hold"] = options["legal_hold"].upper()
    pace = Pace(
        parallel=parallel(app, options["parallel"]),
        limits=part_limits(app),
        multipart=not options["disable_multipart"],
        resume=options["resume"],
        checksum=Checksum(*_CHECKSUMS[options["checksum"]]),
        begun=app.store.path.parent / "uploads",
    )
    return How(
        rules=enc_rules(app, options),
        pace=pace,
        headers=headers,
        recursive=options["recursive"],
        version_id=options["version_id"],
        rewind=options["rewind"],
        older_s=options["older_than"],
        newer_s=options["newer_than"],
        decrypt=options["decrypt"],
        preserve=options["preserve"],
    )


def _check_rules(app: App, how: How, sources: Sequence[End], target: End) -> None:
    """Refuse encryption rules that cover neither end."""
    from mcpy.cli.ends import single_target

    ends = [end.place for end in sources]
    if not how.recursive:
        ends += [single_target(end, target, several=False) for end in sources]
    else:
        ends.append(target.place)
    places = [end for end in ends if isinstance(end, Target)]
    how.rules.check_used(places, app.out.warn, deep=how.recursive)


def _copy(app: App, sources: Sequence[End], target: End, how: How, *, jobs: int) -> None:
    from mcpy.fleet.parallel import Stop, each

    tally, started, stop = Tally(), time.monotonic(), Stop()
    report = Report(app, tally, alone=_alone(how, sources), to_stdout=target.text == STREAM)
    try:
        with app.out.progress(_label(sources), total=_total(sources)) as advance:
            report.bar, report.many = app.out.interactive, how.recursive
            own = replace(how, pace=replace(how.pace, advance=advance, stop=stop))
            each(
                plan(app, sources, target, own),
                lambda job: run(app, job, own),
                report,
                jobs=1 if report.alone or report.to_stdout else jobs,
                stop=stop,
                cut=app.cut,
            )
    finally:
        report.finish()
    if tally.last:
        raise tally.last if report.alone else tally.failures.sum_of(tally.count)
    if not tally.count:
        app.out.note("nothing was copied: there is nothing that was asked for")
    if not report.to_stdout and (app.out.json or tally.count > 1):
        app.out.done(Summary(tally, time.monotonic() - started))


def _alone(how: How, sources: Sequence[End]) -> bool:
    return len(sources) == 1 and not how.recursive


def _label(sources: Sequence[End]) -> str:
    return sources[0].name if len(sources) == 1 else f"{len(sources)} sources"


def _total(sources: Sequence[End]) -> int | None:
    sizes = [
        end.place.stat().st_size
        for end in sources
        if isinstance(end.place, Path) and end.place.is_file()
    ]
    return sum(sizes) if len(sizes) == len(sources) else None
