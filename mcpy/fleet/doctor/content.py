"""A few objects really read: a key made anew under its old name works, and opens nothing old."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mcpy.api.s3listing import objects_page
from mcpy.errors import DeadlineError, ProtocolError, S3Error, exit_code
from mcpy.fleet.doctor.server import PATIENCE_S
from mcpy.fleet.doctor.step import Step
from mcpy.fleet.inventory.head import refusal
from mcpy.models import bare_key_id, scheme_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcpy.api.s3listing import Entry
    from mcpy.errors import McpyError
    from mcpy.fleet.doctor.step import Patient

MOST_BUCKETS = 20
MOST_LISTED = 100
MOST_READ = 5  # of a bucket, one of each scheme and key


@dataclass
class _Found:
    """What became of the objects that were tried; ``sealed`` counts those of SSE-S3 that open."""

    tried: int = 0
    sealed: int = 0
    denied: int = 0
    late: bool = False
    broken: list[tuple[str, str, McpyError]] = field(default_factory=list)

    def step(self) -> Step:
        """Return the sum: it is a failure where no object opens that the default key sealed."""
        if self.broken:
            return self._broken()
        if self.denied and not self.tried:
            text = "these credentials may not list and read objects, so none was tried"
            hint = "s3:ListBucket and s3:GetObject in the policy of the user"
            return Step("objects", "unchecked", text, hint)
        if self.late and not self.tried:
            text = "there was no time to try objects"
            return Step("objects", "unchecked", text, "--timeout SECONDS")
        if not self.tried:
            return Step("objects", "ok", "nothing encrypted among the first objects of buckets")
        return Step("objects", "ok", f"encrypted objects that were tried, and open: {self.tried}")

    def _broken(self) -> Step:
        scheme, place, error = self.broken[0]
        dead = not self.sealed and any(one[0] == "sse-s3" for one in self.broken)
        of_object = place.count("/") > 1
        text = f"`{place}` ({scheme}) does not open: {error.message}"
        if more := len(self.broken) - 1:
            text += f"; {more} more that were tried do not either"
        return Step(
            "objects",
            "failed" if dead else "warning",
            text,
            f"mcpy doctor {place}" if of_object else f"mcpy encrypt audit {place} --list",
            exit_code(error),
        )


def objects(patient: Patient) -> Iterator[Step]:
    """Read a byte of one object of each scheme and key among the first of some buckets."""
    found = _Found()
    for name in patient.buckets[:MOST_BUCKETS]:
        if patient.options.deadline.left_s() <= 0:
            found.late = True
            break
        try:
            with patient.s3.http.patience(PATIENCE_S):
                _look(patient, name, found)
        except DeadlineError:
            found.late = True
            break
    yield found.step()


def _look(patient: Patient, bucket: str, found: _Found) -> None:
    query = {"list-type": "2", "encoding-type": "url", "metadata": "true"}
    query["max-keys"] = str(MOST_LISTED)
    try:
        page = patient.s3.page(bucket, query, objects_page, repeatable=False)
    except S3Error as e:
        found.denied += e.status == 403
        if e.api_code.startswith("kms:"):  # so says MinIO for a whole page with one SSE-S3 object
            found.broken.append(("sse-s3", f"{patient.name}/{bucket}", e))
        return
    except ProtocolError:
        return  # a listing that is odd in another way says nothing of keys
    for key, scheme in _chosen(page.entries):
        error = refusal(patient.s3, bucket, key)
        if isinstance(error, S3Error) and error.status == 403 and error.api_code == "AccessDenied":
            found.denied += 1
            continue
        found.tried += 1
        if error:
            found.broken.append((scheme, f"{patient.name}/{bucket}/{key}", error))
        else:
            found.sealed += scheme == "sse-s3"


def _chosen(entries: list[Entry]) -> list[tuple[str, str]]:
    """Return key and scheme of one object of each scheme and KMS key."""
    chosen: dict[tuple[str, str], str] = {}
    for entry in entries:
        said = entry.encryption
        if said and said.algorithm and not said.customer:
            chosen.setdefault((scheme_of(said.algorithm), bare_key_id(said.key_id)), entry.key)
    return [(key, scheme) for (scheme, _), key in list(chosen.items())[:MOST_READ]]
