"""Buckets whose default encryption would make every upload fail, or encrypts nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mcpy.errors import ApiError, ExitCode, McpyError, S3Error, UnsupportedError
from mcpy.fleet.doctor.kms import judged
from mcpy.fleet.doctor.server import PATIENCE_S
from mcpy.fleet.doctor.step import Patient, Step
from mcpy.models import ALGORITHMS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcpy.models import BucketEncryption

_RIGHT = "s3:GetEncryptionConfiguration in the policy of the user"
MOST = 100  # a bounded look: `encrypt plan` looks at every bucket


@dataclass
class _Looked:
    """The defaults that were read, of so many buckets, and how many may not be read."""

    defaults: dict[str, BucketEncryption] = field(default_factory=dict)
    number: int = 0
    denied: int = 0


def buckets(patient: Patient) -> Iterator[Step]:
    """Read the default of each bucket, and try each key once."""
    try:
        looked = _look(patient)
    except UnsupportedError:
        yield Step("buckets", "unchecked", "this server knows no default encryption")
        return
    if looked.denied < looked.number or not patient.buckets:
        yield from judge(patient, looked.defaults)
    if looked.denied:
        text = f"of {looked.denied} of {looked.number} buckets the default may not be read"
        yield Step("buckets", "unchecked", text, _RIGHT)
    more = len(patient.buckets) - looked.number
    if more > 0:
        text = f"{more} more buckets were not looked at"
        yield Step("buckets", "unchecked", text, f"mcpy encrypt info '{patient.name}/*'")


def _look(patient: Patient) -> _Looked:
    """Raise UnsupportedError on a server without default encryption."""
    looked = _Looked()
    for name in patient.buckets[:MOST]:
        if patient.options.deadline.left_s() <= 0:
            break
        looked.number += 1
        try:
            with patient.s3.http.patience(PATIENCE_S):
                found = patient.s3.get_bucket_encryption(name)
        except S3Error as e:
            if e.status == 501:
                raise UnsupportedError(e.message) from e
            looked.denied += e.status == 403  # or it was deleted meanwhile
            continue
        if found:
            looked.defaults[name] = found
    return looked


def judge(patient: Patient, defaults: dict[str, BucketEncryption]) -> Iterator[Step]:
    """Return which defaults fail; each key is tried once."""
    failing = untold = False
    for name, default in defaults.items():
        if default.algorithm not in ALGORITHMS.values():
            failing = True
            what = f"by `{default.algorithm}`" if default.algorithm else "by nothing"
            text = f"`{name}` has a rule that encrypts {what}"
            yield Step(
                "buckets", "warning", text, f"mcpy encrypt set sse-s3 {patient.name}/{name}"
            )
    for key in sorted({d.key for d in defaults.values() if d.algorithm in ALGORITHMS.values()}):
        step = _tried(patient, key)
        if step is None:
            untold = True
            continue
        if step.level == "ok":
            continue
        failing = True
        users = [name for name, default in defaults.items() if default.key == key]
        names = ", ".join(f"`{name}`" for name in users[:3])
        more = f" and {len(users) - 3} more" if len(users) > 3 else ""
        text = f"uploads to {names}{more} fail: {step.text}"
        yield Step("buckets", "failed", text, step.hint, step.code)
    if untold:
        text = "whether the keys of defaults work could not be asked"
        hint = "kms:KeyStatus in the policy of the user"
        yield Step("buckets", "unchecked", text, hint)
    elif not failing:
        text = f"{len(defaults)} encrypt new objects by default, and no key fails"
        yield Step("buckets", "ok", text)


def _tried(patient: Patient, key: str) -> Step | None:
    """Return what a key's trial shows; None where nobody can be asked."""
    try:
        with patient.admin.http.patience(PATIENCE_S):
            return judged(patient.admin.key_status(key), "buckets", patient)
    except UnsupportedError:
        text = "the server has no KMS"
        hint = f"mcpy admin kms env {patient.name} --key KEY"
        return Step("buckets", "failed", text, hint, ExitCode.UNSUPPORTED)
    except (ApiError, McpyError):
        return None
