"""``mcpy encrypt objects``: encrypt, or take to another key, what is stored already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli.app import pass_app
from mcpy.cli.base import Command
from mcpy.cli.output import printable
from mcpy.cli.params import REWRITABLE, Parsed
from mcpy.cli.rewriting import Rewriting
from mcpy.cli.rewriting_options import rewriting_options
from mcpy.cli.rewritten import lines, totals
from mcpy.errors import InputError, McpyError
from mcpy.models import ObjectEncryption, check_key_id

if TYPE_CHECKING:
    from mcpy.cli.app import App
    from mcpy.fleet.rewrite.goal import Goal, Tally
    from mcpy.models import Target


def parse_wanted(text: str) -> ObjectEncryption:
    """Return the encryption of ``sse-s3`` or ``sse-kms:KEY``."""
    scheme, colon, key = text.partition(":")
    if scheme.lower() == "sse-s3" and not colon:
        return ObjectEncryption("AES256")
    if scheme.lower() == "sse-kms" and key:
        return ObjectEncryption("aws:kms", check_key_id(key))
    raise InputError(f"`{text}` is not sse-s3 or sse-kms:KEY")


WANTED = Parsed("sse-s3|sse-kms:KEY", parse_wanted)


@dataclass(frozen=True)
class ObjectsEncrypted:
    """What ``encrypt objects`` did, or with ``dry_run`` would do, to one target."""

    target: Target
    goal: Goal
    tally: Tally
    dry_run: bool
    journal: str

    def data(self) -> dict[str, Any]:
        """Return every count; they add up to ``scanned``."""
        encryption = self.goal.encryption
        wanted = {"algorithm": encryption.algorithm}
        wanted |= {"keyId": encryption.key_id} if encryption.key_id else {}
        found = {
            "op": "objects",
            "status": "success" if not self.tally.unsettled else "partial",
            "url": str(self.target),
            "encryption": wanted,
            "dryRun": self.dry_run,
            **totals(self.tally),
        }
        return found | ({} if self.dry_run else {"journal": self.journal})

    def text(self) -> str:
        """Return a line for each class."""
        told = lines(self.target, self.tally, self.goal, dry_run=self.dry_run)
        return printable("\n".join(told))


@click.command("objects", cls=Command)
@click.argument("targets", nargs=-1, required=True, type=REWRITABLE, metavar="TARGET...")
@click.option("--to", "wanted", type=WANTED, required=True, help="The encryption wanted.")
@click.option(
    "--versions", is_flag=True, help="Older versions too, where the server overwrites them."
)
@click.option(
    "--include-kms",
    is_flag=True,
    help="With --to sse-s3, SSE-KMS objects too: they lose their key.",
)
@rewriting_options
@pass_app
def objects(app: App, /, targets: tuple[Target, ...], **options: Any) -> None:  # noqa: ANN401 - click's
    """Encrypt the objects below TARGET that are stored already, in place, on the server.

    TARGET is a bucket, a prefix, or a pattern over buckets such as 'ALIAS/*'. What the server does
    to objects that are copied onto themselves is tried out on scratch objects first; each object
    is read before and after and compared; what is done is journalled, so that the same command
    goes on where it was interrupted. Without --versions the latest version of each object is
    rewritten, and older ones are counted.

    The bytes that were there before may stay on the server's disks until it clears them away.
    What credentials have to be allowed: docs/permissions.md.
    """
    from mcpy.fleet.rewrite.goal import Goal

    goal = Goal(
        options["wanted"], versions=options["versions"], include_kms=options["include_kms"]
    )
    rewriting = Rewriting(app, options)
    for target in rewriting.begin(targets, goal.encryption):
        with rewriting.going_on(target):
            tally, journal = rewriting.one(target, goal)
            app.out.emit(ObjectsEncrypted(target, goal, tally, options["dry_run"], journal))
            _warn_of_uploads(app, target, goal.encryption)
    rewriting.finish()


def _warn_of_uploads(app: App, target: Target, wanted: ObjectEncryption) -> None:
    """Say that what is uploaded from now on stays as it comes, where nothing encrypts it."""
    bucket = f"{target.alias}/{target.bucket}"
    try:
        default = app.s3(target.alias).get_bucket_encryption(target.bucket)
    except McpyError as e:
        app.out.warn(f"whether `{bucket}` encrypts new uploads is not known: {e.message}")
        return
    if not (default and default.algorithm):
        scheme = f"sse-kms {wanted.key_id}" if wanted.key_id else "sse-s3"
        app.out.warn(
            f"`{bucket}` has no default encryption, so that new uploads may stay plain: "
            f"mcpy encrypt set {scheme} {bucket}"
        )
