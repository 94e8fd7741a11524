"""``mcpy encrypt objects``: encrypt, or take to another key, what is stored already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli.app import pass_app
from mcpy.cli.base import Command
from mcpy.cli.many import buckets_of
from mcpy.cli.output import printable
from mcpy.cli.params import BUCKETS, Parsed
from mcpy.cli.rewriting import Rewriting, rewriting_options
from mcpy.cli.rewritten import lines, totals
from mcpy.errors import InputError
from mcpy.models import ObjectEncryption, check_key_name

if TYPE_CHECKING:
    from mcpy.cli.app import App
    from mcpy.fleet.rewrite.goal import Tally
    from mcpy.models import Target


def parse_wanted(text: str) -> ObjectEncryption:
    """Return the encryption of ``sse-s3`` or ``sse-kms:KEY``."""
    scheme, colon, key = text.partition(":")
    if scheme.lower() == "sse-s3" and not colon:
        return ObjectEncryption("AES256")
    if scheme.lower() == "sse-kms" and key:
        return ObjectEncryption("aws:kms", check_key_name(key))
    raise InputError(f"`{text}` is not sse-s3 or sse-kms:KEY")


WANTED = Parsed("sse-s3|sse-kms:KEY", parse_wanted)


@dataclass(frozen=True)
class ObjectsEncrypted:
    """What ``encrypt objects`` did, or with ``dry_run`` would do, to one target."""

    target: Target
    encryption: ObjectEncryption
    tally: Tally
    dry_run: bool
    journal: str

    def data(self) -> dict[str, Any]:
        """Return every count; they add up to ``scanned``."""
        wanted = {"algorithm": self.encryption.algorithm}
        wanted |= {"keyId": self.encryption.key_id} if self.encryption.key_id else {}
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
        return printable("\n".join(lines(self.target, self.tally, dry_run=self.dry_run)))


@click.command("objects", cls=Command)
@click.argument("targets", nargs=-1, required=True, type=BUCKETS, metavar="TARGET...")
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
    """
    from mcpy.fleet.rewrite.goal import Goal

    goal = Goal(
        options["wanted"], versions=options["versions"], include_kms=options["include_kms"]
    )
    rewriting = Rewriting(app, options)
    rewriting.check_key(targets[0].alias, goal.encryption)
    found = list(buckets_of(app, targets))
    for target in found:
        with rewriting.going_on(target, len(found)):
            tally, journal = rewriting.one(target, goal)
            done = ObjectsEncrypted(target, goal.encryption, tally, options["dry_run"], journal)
            app.out.emit(done)
    rewriting.finish()
