"""``mcpy encrypt rotate``: take objects from one KMS key to another, and prove it."""

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
from mcpy.cli.rewritten import lines, not_as_wanted, totals
from mcpy.cli.sizes import plural
from mcpy.errors import InputError, McpyError, NotFoundError, PartialError
from mcpy.models import ObjectEncryption, check_key_id

if TYPE_CHECKING:
    from mcpy.cli.app import App
    from mcpy.fleet.rewrite.goal import Goal
    from mcpy.fleet.rotate.session import Rotated, Rotation
    from mcpy.models import Target


KMS_KEY = Parsed("KEY", check_key_id)


@dataclass(frozen=True)
class KeyRotated:
    """What ``encrypt rotate`` did, or with ``dry_run`` would do, to one target."""

    target: Target
    goal: Goal
    done: Rotated
    dry_run: bool

    @property
    def new(self) -> str:
        """The key to get under."""
        return self.goal.encryption.key_id

    @property
    def old(self) -> str:
        """The key to get away from; ``""`` for any other."""
        return self.goal.old_key

    def data(self) -> dict[str, Any]:
        """Return what was done, and what the last look showed."""
        from mcpy.fleet.rotate.session import proof

        done = self.done
        shown = proof(done, self.new, self.old)
        settled = not shown["left"] and shown["complete"] and not done.default_unseen
        found: dict[str, Any] = {
            "op": "rotate",
            "status": "success" if settled or self.dry_run else "partial",
            "url": str(self.target),
            "to": self.new,
            "from": self.old,
            "dryRun": self.dry_run,
            "engine": done.engine.value if done.engine else "",
            "onlyWrapping": done.engine in {"batch", "aws"},
            "defaultWas": done.default,
            "before": done.before.data(),
            "proof": shown,
        }
        found |= {"defaultUnseen": True} if done.default_unseen else {}
        found |= {"wouldStay": done.would_stay} if self.dry_run else {}
        found |= {"notByJob": done.why_not} if done.why_not else {}
        found |= {"sealed": done.sealed} if done.sealed else {}
        return found | (totals(done.tally) if done.tally.scanned else {})

    def text(self) -> str:
        """Return what was done and what can be proven."""
        return printable("\n".join([*self._did(), *self._proven()]))

    def _did(self) -> list[str]:
        from mcpy.fleet.rotate.engine import WHAT_CHANGES

        done, found = self.done, []
        if done.default:
            verb = "would be" if self.dry_run else "is"
            line = f"The default of `{self.target}` {verb} `{self.new}`, not `{done.default}`."
            found.append(line)
        if done.engine is None:
            return [*found, f"`{self.target}`: nothing is under {self._others()}."]
        if self.dry_run:
            found += self._would()
        elif done.sealed:
            found.append(f"A job sealed {plural(done.sealed, 'object')} of `{self.target}` anew.")
        else:
            found += lines(self.target, done.tally, self.goal, dry_run=False)
        if done.why_not:
            found.append(f"Not by a job of the server: {'; '.join(done.why_not)}.")
        changed = done.sealed or done.tally.count["rewritten"]
        return [*found, WHAT_CHANGES[done.engine]] if changed and not self.dry_run else found

    def _would(self) -> list[str]:
        done = self.done
        count = done.before.under_other(self.new, self.old)
        if done.tally.scanned:
            count = done.tally.count["rewritten"]
        way = _BY[done.engine] if done.engine else ""
        return [
            f"{plural(count, 'version')} would go from {self._others()} to `{self.new}`,",
            f"by {way}.",
            *not_as_wanted(done.tally, self.goal),
        ]

    def _proven(self) -> list[str]:
        done = self.done
        after = done.after
        if after is None:
            return []
        left = after.under_other(self.new, self.old)
        are = "version is" if left == 1 else "versions are"
        found = [f"Looked at again: {left} {are} under {self._others()}."]
        if after.unseen or after.incomplete:
            found.append(f"{after.unseen} cannot be seen, and may be. {after.incomplete}".rstrip())
        if after.states["sse-s3"]:
            which = (
                f"`{self.old}` is the server's default: they are under it or an earlier one."
                if done.sse_s3_default
                else "it is the one that was the server's default when each was written."
            )
            found.append(f"SSE-S3, whose key no server tells: {after.states['sse-s3']}; {which}")
        if done.uploads:
            unfinished = plural(done.uploads, "unfinished upload")
            found.append(f"{unfinished} may end under the old key.")
        return found

    def _others(self) -> str:
        return f"`{self.old}`" if self.old else f"other keys than `{self.new}`"


_BY = {
    "batch": "a job of the server, which leaves the bytes and makes their modification times new",
    "aws": "UpdateObjectEncryption, which leaves the bytes",
    "copy": "copying each onto itself, which encrypts the bytes anew",
}


@click.command("rotate", cls=Command)
@click.argument("targets", nargs=-1, required=True, type=REWRITABLE, metavar="TARGET...")
@click.option("--to", "new", type=KMS_KEY, required=True, help="The key to get under.")
@click.option("--from", "old", type=KMS_KEY, help="Only from this key. [any other]")
@click.option(
    "--engine",
    type=click.Choice(["auto", "batch", "copy", "aws"]),
    default="auto",
    help="A job of MinIO, a copy of each object onto itself, or AWS's own call. [auto]",
)
@rewriting_options
@pass_app
def rotate(app: App, /, targets: tuple[Target, ...], **options: Any) -> None:  # noqa: ANN401 - click's
    """Take SSE-KMS objects below TARGET, all versions, to another key, and prove it.

    The new key is tried first; a bucket's default that points at the old key is set to the new
    one; objects are taken over by the best that the server can do without harm; then all of it is
    looked at again: nothing may be left under the old one. Objects that are not SSE-KMS stay as
    they are: see `encrypt objects`. What credentials have to be allowed: docs/permissions.md.
    """
    from mcpy.fleet.rewrite.goal import Goal

    new, old = options["new"], options["old"] or ""
    if old and old == new:
        raise InputError(f"`{new}` is both the old key and the new one")
    goal = Goal(ObjectEncryption("aws:kms", new), versions=True, only_kms=True, old_key=old)
    rewriting = Rewriting(app, options)
    dry_run, left, under_old = options["dry_run"], 0, 0
    unseen = False
    for target in rewriting.begin(targets, goal.encryption):
        with rewriting.going_on(target):
            done = _one(app, rewriting, target, goal, options)
            app.out.emit(KeyRotated(target, goal, done, dry_run))
            rewriting.looked_at(target, done.before.states.total() + done.before.markers)
            under_old += (
                done.before.by_key.total() if not old else done.before.under_other(new, old)
            )
            under_old += bool(done.default)
            unseen |= done.default_unseen
            left += done.would_stay if dry_run else done.left(new, old)
            left += bool(done.after and done.after.incomplete)
    rewriting.finish()
    if unseen and not left:
        raise PartialError("new objects may go on under the old key: a default cannot be seen")
    if left:
        are = "would stay" if dry_run else "is" if left == 1 else "are"
        raise PartialError(f"{left} {are}, or may be, under the old key")
    if old and not under_old:
        _check_old_key(app, targets, old)


def _check_old_key(app: App, targets: tuple[Target, ...], old: str) -> None:
    """Tell an old key under which there was nothing from one that is not called so.

    Raises:
        NotFoundError: no KMS has such a key.
    """
    aliases = list(dict.fromkeys(target.alias for target in targets))
    for alias in aliases:
        try:
            missing = app.admin(alias).key_status(old).missing
        except McpyError as e:
            why = f", and `{alias}` cannot be asked for the key ({e.message})"
        else:
            why = ""
            if missing:
                continue
        app.out.warn(f"nothing was under `{old}` before{why}: make sure that it is called so")
        return
    named = ", ".join(f"`{alias}`" for alias in aliases)
    raise NotFoundError(
        f"the KMS of {named} has no key `{old}`, and nothing was under it",
        hint=f"mcpy admin kms key list {aliases[0]}",
    )


def _one(
    app: App, rewriting: Rewriting, target: Target, goal: Goal, options: dict[str, Any]
) -> Rotated:
    with rewriting.telling(target, goal) as session:
        rotation = _rotation(app, target, options, session)
        return rotation.run()


def _rotation(app: App, target: Target, options: dict[str, Any], session: Any) -> Rotation:  # noqa: ANN401
    from mcpy.api.minio_batch import BatchJobs
    from mcpy.fleet.rotate.batch import Batch
    from mcpy.fleet.rotate.engine import Engine
    from mcpy.fleet.rotate.session import Rotation

    admin = app.admin(target.alias)
    return Rotation(
        session,
        admin,
        Batch(BatchJobs(admin), session.told.state),
        None if options["engine"] == "auto" else Engine(options["engine"]),
        options["dry_run"],
        app.out.warn,
    )
