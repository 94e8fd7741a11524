"""``mcpy doctor``: which link between an alias and its keys is broken, and what to type next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli.app import pass_app
from mcpy.cli.base import Command
from mcpy.cli.params import TARGET
from mcpy.errors import InputError, McpyError

if TYPE_CHECKING:
    from mcpy.cli.app import App
    from mcpy.cli.kes_access import KesOptions
    from mcpy.fleet.doctor.step import KesAccess, Level, Patient, Step
    from mcpy.models import Target

_WORDS: dict[Level, str] = {
    "ok": "ok",
    "warning": "warning",
    "failed": "failed",
    "unchecked": "not checked",
}


@dataclass(frozen=True)
class StepShown:
    """One link of the chain; ``aligned`` where a person reads it."""

    step: Step
    aligned: bool

    def data(self) -> dict[str, Any]:
        """Return the link and what it was found to be."""
        step = self.step
        found: dict[str, Any] = {
            "op": "doctor",
            "status": "error" if step.level == "failed" else "success",
            "link": step.link,
            "level": step.level,
            "message": step.text,
        }
        if step.hint:
            found["hint"] = step.hint
        return found | ({"exitCode": int(step.code)} if step.level == "failed" else {})

    def text(self) -> str:
        """Return one line; the hint is part of it where something is not as it should be."""
        step = self.step
        hint = f" [{step.hint}]" if step.hint else ""
        if not self.aligned:
            return "\t".join((_WORDS[step.level], step.link, step.text, step.hint))
        return f"{_WORDS[step.level]:<11}  {step.link:<12}  {step.text}{hint}"


@dataclass(frozen=True)
class Verdict:
    """The sum of all links; ``broken`` is the first that failed."""

    target: Target
    broken: Step | None
    warnings: int
    unchecked: int

    def data(self) -> dict[str, Any]:
        """Return the verdict, and the link that is to be repaired first."""
        found: dict[str, Any] = {
            "op": "doctor",
            "status": "error" if self.broken else "success",
            "target": str(self.target),
            "healthy": self.broken is None,
            "warnings": self.warnings,
            "unchecked": self.unchecked,
        }
        return found | ({"broken": self.broken.link} if self.broken else {})

    def text(self) -> str:
        """Return one line, of what works as far as anybody looked."""
        plural = "" if self.warnings == 1 else "s"
        but = f", with {self.warnings} warning{plural}" if self.warnings else ""
        were = "link was" if self.unchecked == 1 else "links were"
        rest = f"{self.unchecked} {were} not checked"
        far = f", as far as it was looked at ({rest})" if self.unchecked else ""
        return f"`{self.target}` works{far}{but}."


@click.command("doctor", cls=Command)
@click.argument("target", type=TARGET, metavar="ALIAS[/BUCKET[/OBJECT]]")
@click.option("--vid", "--version-id", "version_id", default="", help="Version of the object.")
@pass_app
def doctor(app: App, target: Target, *, version_id: str) -> None:
    """Find the broken link between an alias and its keys, and what to do about it.

    Looks at the alias, the way to the server, certificates, clocks, S3, the admin API, every node,
    the KMS, its default key, KES and its policies, the defaults of buckets, and a few objects,
    which are read. With a bucket: would an upload work? With an object: why can it not be read?
    Nothing is changed.

    In a pipe each line has four columns with tabs between them: ok, warning, failed or not
    checked; the link; what was found; what to do.

    The exit code is that of the first broken link: 4 denied, 5 a key or object is gone,
    6 unreachable or not trusted, 7 no KMS, 1 anything else. Warnings end with 0.
    """
    from mcpy.fleet.doctor.chain import examine, examine_target
    from mcpy.fleet.doctor.step import first_broken

    if version_id and not target.key:
        raise InputError(f"`{target}` is no object, and has no versions")
    app.settings.retries = 0  # a fault is to be seen here, and not smoothed over
    patient = _patient(app, target.alias)
    found = examine_target(patient, target, version_id) if target.bucket else examine(patient)
    steps = []
    for step in found:
        steps.append(step)
        app.out.emit(StepShown(step, app.out.tables))
    broken = first_broken(steps)
    levels = [step.level for step in steps]
    verdict = Verdict(target, broken, levels.count("warning"), levels.count("unchecked"))
    if app.out.json or not broken:
        app.out.emit(verdict)
    if broken:
        error = McpyError(f"`{target}` is broken at {broken.link}: {broken.text}")
        error.code, error.hint = broken.code, broken.hint or None
        raise error


def _patient(app: App, name: str) -> Patient:
    from mcpy.cli.kes_access import KesOptions
    from mcpy.environment import KES_VARIABLES
    from mcpy.fleet.doctor.step import Patient

    alias = app.alias(name)
    options = app.http_options(alias.ca)
    named = alias.kes or any(app.environ.get(variable) for variable in KES_VARIABLES["server"])
    access = KesOptions(alias=name if alias.kes else None)
    kes = (lambda: _kes(app, access)) if named else None
    return Patient(alias, app.s3(name), app.admin(name), options, kes)


def _kes(app: App, options: KesOptions) -> KesAccess:
    """Open the KES of the alias, else of the environment."""
    from mcpy.cli.kes_access import certificate_of, connect, resolve
    from mcpy.fleet.doctor.access import access_of

    profile = resolve(app, options)
    certificate = certificate_of(app, profile)
    return access_of(profile, connect(app, options), certificate, app.http_options(profile.ca))
