"""One link of the chain, and how a check becomes links."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from mcpy.errors import DeadlineError, ExitCode, McpyError, exit_code

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mcpy.api.http import HttpOptions
    from mcpy.api.kes import Kes
    from mcpy.api.madmin import MinioAdmin
    from mcpy.api.madmin_types import KmsStatus
    from mcpy.api.s3 import S3
    from mcpy.api.tls import ClientCertificate
    from mcpy.models import Alias

Level = Literal["ok", "warning", "failed", "unchecked"]
SOON_DAYS = 14


@dataclass(frozen=True)
class Step:
    """What one link was found to be.

    Attributes:
        link: its name, one word.
        text: one line.
        hint: what to type or do next, when it is not ok.
        code: the exit code when it is the first that failed.
    """

    link: str
    level: Level
    text: str
    hint: str = ""
    code: ExitCode = ExitCode.FAILED


@dataclass(frozen=True)
class KesAccess:
    """The KES that the alias names: its servers, our certificate, and how to reach it.

    Attributes:
        expires: when our certificate ends; None with an API key, which makes one for each call.
        identity: who we are to it.
    """

    servers: tuple[str, ...]
    client: Kes
    options: HttpOptions
    certificate: ClientCertificate | None = None
    expires: datetime | None = None
    identity: str = ""


@dataclass
class Patient:
    """What is examined, and what was learned of it on the way.

    Attributes:
        kes: opens the KES of the alias; None where it has none.
        now: the wall clock.
        info: the server's information, once it was read; empty before.
        kms: the KMS as the server described it.
    """

    alias: Alias
    s3: S3
    admin: MinioAdmin
    options: HttpOptions
    kes: Callable[[], KesAccess] | None = None
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    info: dict[str, Any] = field(default_factory=dict)
    kms: KmsStatus | None = None
    buckets: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The alias."""
        return self.alias.name


@dataclass(frozen=True)
class Link:
    """A check, and the links without which it cannot be made."""

    name: str
    check: Callable[[Patient], Iterable[Step]]
    needs: tuple[str, ...] = ()


def walk(patient: Patient, links: Iterable[Link]) -> Iterator[Step]:
    """Yield what each link is found to be; a link whose needs failed is not checked."""
    broken: dict[str, str] = {}
    for link in links:
        missing = next((name for name in link.needs if name in broken), "")
        if missing:
            cause = broken[missing]
            broken[link.name] = cause
            yield Step(link.name, "unchecked", f"not without `{cause}`")
            continue
        if patient.options.deadline.left_s() <= 0:
            broken[link.name] = link.name
            yield Step(link.name, "unchecked", "no time was left", hint="--timeout SECONDS")
            continue
        for step in _steps(patient, link):
            if step.level in {"failed", "unchecked"} and step.link == link.name:
                broken[link.name] = link.name
            yield step


def _steps(patient: Patient, link: Link) -> Iterator[Step]:
    try:
        yield from link.check(patient)
    except DeadlineError as e:
        yield failed(link.name, e, hint=e.hint or "--timeout SECONDS")
    except McpyError as e:
        yield failed(link.name, e)


def failed(link: str, error: McpyError, *, text: str = "", hint: str = "") -> Step:
    """Return the step for an error; ``text`` and ``hint`` go before the error's own."""
    return Step(link, "failed", text or error.message, hint or error.hint or "", exit_code(error))


def in_days(days: int) -> str:
    """Return ``in 1 day``, ``in 29 days``."""
    return f"in {days} day{'' if days == 1 else 's'}"


def days_left(moment: datetime, now: datetime) -> int:
    """Return whole days until ``moment``, negative after it."""
    return (moment - now).days


def first_broken(steps: Iterable[Step]) -> Step | None:
    """Return the first link that failed."""
    return next((step for step in steps if step.level == "failed"), None)
