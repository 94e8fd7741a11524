"""Impact reports on the command line: measured and shown."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from mcpy.cli.many import JOBS
from mcpy.cli.sizes import human_size, plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcpy.cli.app import App
    from mcpy.fleet.audit import Count
    from mcpy.fleet.impact import Impact, ServerImpact


@dataclass(frozen=True)
class ImpactReport:
    """What would become unreadable, in both forms."""

    impact: Impact

    def data(self) -> dict[str, Any]:
        """Return everything that was measured, and the verdict."""
        impact = self.impact
        return {
            "status": "success",
            "type": "impact",
            "key": impact.key,
            "created": impact.created,
            "verdict": impact.verdict,
            "complete": impact.complete,
            "certain": impact.certain,
            "possible": impact.at_stake - impact.certain,
            "answer": impact.answer,
            "neverDefault": impact.never_default,
            "servers": [self._server(one) for one in impact.servers],
        }

    def _server(self, one: ServerImpact) -> dict[str, Any]:
        found = {_camel(name): value for name, value in asdict(one).items()}
        return found | {"isDefault": self.impact.is_default(one)}

    def text(self) -> str:
        """Return a paragraph for each server, and the sum."""
        lines: list[str] = []
        for one in self.impact.servers:
            lines.append(f"`{self.impact.key}` on {one.alias} ({one.url})")
            lines += [f"  {name:<17}{value}" for name, value in self.rows(one)]
        return "\n".join([*lines, verdict_of(self.impact)])

    def rows(self, one: ServerImpact) -> list[tuple[str, str]]:
        """Return what depends on the key on one server, as pairs of words."""
        rows = [
            ("Server default", _default_words(self.impact, one)),
            ("Bucket defaults", _bucket_words(one)),
            (
                "SSE-KMS",
                _words(one.certain) + (f", {one.objects:,} latest" if one.objects else ""),
            ),
            ("SSE-S3", self._sealed_words(one)),
        ]
        rows += [("Unknown", f"{_words(one.unknown)}: possibly")] if one.unknown.number else []
        if one.unreadable.number:
            why = "not by this key, which works" if one.works else "possibly by this key"
            rows.append(("Unreadable now", f"{_words(one.unreadable)}, {why}"))
        if one.gaps:
            rows.append(("Not listed", f"more versions, at {plural(one.gaps, 'place')}"))
        if one.uploads:
            rows.append(("Uploads", f"{one.uploads:,} under way, whose keys nobody tells"))
        rows += [("For example" if not i else "", name) for i, name in enumerate(one.samples)]
        rows += [("Not proven", text) for text in self._doubts(one)]
        rows += [("Not seen" if not i else "", text) for i, text in enumerate(one.problems)]
        return rows + ([("Never listed", one.never_listed)] if one.never_listed else [])

    def _doubts(self, one: ServerImpact) -> list[str]:
        found = []
        if self.impact.lacks(one):
            why = "cannot use" if not one.missing else "does not have"
            why = "does not tell whether it has" if one.works is None else why
            found.append(f"this server's KMS {why} the key: is it the right server?")
        if self.impact.may_seal_settings(one):
            found.append("IAM and settings need it if it once was the default (--never-default)")
        return found

    def _sealed_words(self, one: ServerImpact) -> str:
        words = _words(one.possible)
        if not one.possible.number:
            return words
        if self.impact.is_default(one):
            return f"{words}: those written while it was the default, which no server tells"
        if self.impact.never_default:
            return f"{words}: not by this key, which never was the default, as you say"
        return f"{words}: possibly, if it once was the default (--never-default if not)"


def verdict_of(impact: Impact) -> str:
    """Return the sum as one sentence."""
    key, possible = impact.key, impact.at_stake - impact.certain
    if impact.verdict == "none":
        return f"Nothing that the servers list depends on `{key}`, and all of it was looked at."
    if impact.verdict == "incomplete":
        return (
            f"Nothing certainly depends on `{key}`, possibly {plural(possible, 'version')}, "
            "and not everything could be seen."
        )
    more = f", and possibly {possible:,} more" if possible else ""
    more += _more_than_data(impact)
    are = "is" if impact.certain == 1 else "are"
    return f"Without `{key}`, {plural(impact.certain, 'version')} {are} unreadable{more}."


def _more_than_data(impact: Impact) -> str:
    if any(impact.is_default(one) for one in impact.servers):
        return ", and a server loses its default key"
    return ", and uploads fail" if any(one.defaulting for one in impact.servers) else ""


def _default_words(impact: Impact, one: ServerImpact) -> str:
    if impact.is_default(one):
        return "yes: its IAM and settings are sealed with it too, and uploads need it"
    return "not known" if one.default_key is None else f"no, that is `{one.default_key}`"


def _bucket_words(one: ServerImpact) -> str:
    names = ", ".join(one.defaulting[:10]) + (", ..." if len(one.defaulting) > 10 else "")
    number = len(one.defaulting)
    return f"{number} of {one.buckets}" + (f", whose uploads fail then: {names}" if number else "")


def _words(count: Count) -> str:
    if not count.number:
        return "none"
    return f"{plural(count.number, 'version')}, {human_size(count.size)}"


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def measured(
    app: App,
    keys: Sequence[str],
    aliases: Sequence[str],
    *,
    never_default: bool = False,
    jobs: int = JOBS,
) -> list[Impact]:
    """Return what depends on each key on the servers of ``aliases``.

    Raises:
        UnreachableError: a server does not answer, so that nobody knows.
    """
    from mcpy.fleet.impact import Impact, Look, measure
    from mcpy.fleet.impact.report import stamp
    from mcpy.fleet.parallel import Stop

    app.bulk()
    found = {key: Impact(key, stamp(), never_default) for key in keys}
    for alias in dict.fromkeys(aliases):
        if _is_seen(app, alias, found[keys[0]].servers):
            continue
        with app.out.counting(f"looking for what needs it on {alias}") as seen:
            look = Look(Stop(), jobs, seen, app.cut)
            servers = measure(app.s3(alias), app.admin(alias), keys, look)
        for key, server in servers.items():
            found[key].servers.append(server)
    return list(found.values())


def _is_seen(app: App, name: str, servers: Sequence[ServerImpact]) -> bool:
    """Whether an alias would show what another one showed: else its versions count twice.

    Credentials of another user may show more, unless nothing of a MinIO was hidden.
    """
    mine = app.alias(name)
    for one in servers:
        if one.url.rstrip("/") != mine.url.rstrip("/"):
            continue
        if app.alias(one.alias).access_key == mine.access_key:
            return True
        hidden = one.problems or one.gaps or one.unknown.number or one.works is None
        if not hidden and app.s3(name).is_minio:
            return True
    return False
