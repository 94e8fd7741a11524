"""``mcpy encrypt explain``: the chain of keys of one object, or of a bucket's new objects."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli.app import pass_app
from mcpy.cli.base import Command
from mcpy.cli.many import buckets_of, for_each, jobs_option
from mcpy.cli.output import printable
from mcpy.cli.params import BUCKETS
from mcpy.cli.sizes import human_size
from mcpy.errors import FindingError, InputError, McpyError

if TYPE_CHECKING:
    from mcpy.cli.app import App
    from mcpy.fleet.explain import Explanation
    from mcpy.models import Target

_TITLES = {"sse-s3": "SSE-S3", "sse-kms": "SSE-KMS", "sse-c": "SSE-C", "plain": "not encrypted"}


@dataclass(frozen=True)
class Explained:
    """An explanation in both forms."""

    it: Explanation

    def data(self) -> dict[str, Any]:
        """Return every fact and every stage."""
        it = self.it
        found: dict[str, Any] = {
            "status": "success",
            "type": "explanation",
            "url": str(it.target),
            "kind": "object" if it.target.key else "bucket",
            "server": it.facts.kind,
            "scheme": it.unknown_scheme or it.scheme,
            "keyId": it.facts.key,
            "defaultKeyId": it.facts.default_key,
            "works": not it.facts.key_problem if it.facts.key_tried else None,
            "stages": [asdict(stage) for stage in it.stages],
            "onLock": list(it.lock),
            "onDelete": list(it.delete),
            "notes": list(it.notes),
        }
        if it.target.key:
            found |= {"versionId": it.version_id, "size": it.size, "opens": it.opens}
        found |= {"keyProblem": it.facts.key_problem} if it.facts.key_problem else {}
        found |= {"problem": it.problem} if it.problem else {}
        return found | ({"context": it.context} if it.context else {})

    def text(self) -> str:
        """Return a small drawing: each key, what it does, and where it lives."""
        it = self.it
        lines = [f"{it.target}: {self._head()}"]
        lines += self._drawing()
        lines += self._key_lines()
        name = f"`{it.facts.key}`" if it.facts.key else "the key"
        lines += _listed(f"If {name} is locked:", it.lock)
        lines += _listed(f"If {name} is deleted:", it.delete)
        lines += _listed("To know:", it.notes)
        return printable("\n".join(lines))

    def _head(self) -> str:
        it = self.it
        words = [_TITLES.get(it.scheme, f"`{it.unknown_scheme}`")]
        if it.scheme == "sse-kms" and it.facts.key:
            words[0] += f" with key `{it.facts.key}`"
        if it.context:
            words.append(f"context {it.context}")
        if it.size is not None:
            words.append(human_size(it.size))
        if it.opens is not None:
            words.append("opened just now" if it.opens else f"DOES NOT OPEN: {it.problem}")
        return ", ".join(words)

    def _drawing(self) -> list[str]:
        stages = self.it.stages
        if not stages:
            return []
        width = max(len(stage.name) for stage in stages) + 2
        lines = [""]
        for stage in stages:
            lines.append(f"  {stage.name:<{width}}{stage.what}")
            lines.append(f"  {'|' if stage.does else '':<{width}}lives {stage.lives}")
            if stage.does:
                lines += [f"  {'|':<{width}}{stage.does}", "  v"]
        return [*lines, ""]

    def _key_lines(self) -> list[str]:
        facts = self.it.facts
        name = facts.key or facts.default_key
        if not (facts.key_tried and name):
            return []
        if facts.key_problem:
            return [f"Now `{name}` does not work: {facts.key_problem}."]
        if self.it.opens is False:
            return [f"Now `{name}` works, and does not open this: {self._why_not()}."]
        return [f"Now `{name}` works."]

    def _why_not(self) -> str:
        """Return what it means that a key works, and the object does not open."""
        if self.it.problem.startswith("AccessDenied"):
            return "these credentials may not read it"
        if not self.it.facts.key:
            return "the object's key is another of its name, or was the default before"
        context = (
            ", or the context stored with the object is not its own" if self.it.context else ""
        )
        return f"the object's was another key of the same name{context}"


def _listed(title: str, lines: tuple[str, ...]) -> list[str]:
    return [title, *(f"  - {line}" for line in lines)] if lines else []


@click.command("explain", cls=Command)
@click.argument("targets", nargs=-1, required=True, type=BUCKETS, metavar="TARGET...")
@click.option("--version-id", "--vid", default="", help="This version of the object.")
@jobs_option
@pass_app
def explain(app: App, targets: tuple[Target, ...], *, version_id: str, jobs: int) -> None:
    """Show the chain of keys from the KMS to objects, and where each of them lives.

    For a bucket it is the chain of what its default encrypts from now on. It says what locking or
    deleting the key would do.

    Exit 3 when the object cannot be opened now.
    """
    if version_id and len(targets) > 1:
        raise InputError("--version-id names a version of one object")
    named = buckets_of(app, targets)
    shut: list[Target] = []

    def explained(target: Target) -> Explained:
        try:
            found = _explain(app, target, version_id)
        except McpyError as e:
            if len(named) > 1 and str(target) not in e.message:
                e.message = f"{target}: {e.message}"
            raise
        shut.extend([target] if found.it.opens is False else [])
        return found

    for_each(app, named, explained, data=True, jobs=jobs)
    if shut:
        first = min(shut, key=named.index)
        what = f"`{first}` does not open" if len(named) == 1 else f"{len(shut)} do not open"
        raise FindingError(what, hint=f"mcpy doctor {first}")


def _explain(app: App, target: Target, version_id: str) -> Explained:
    from mcpy.fleet.explain import explain_bucket, explain_object

    s3, admin = app.s3(target.alias), app.admin(target.alias)
    if target.key:
        return Explained(explain_object(s3, admin, target, version_id))
    return Explained(explain_bucket(s3, admin, target))
