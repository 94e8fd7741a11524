"""MinIO's ``keyrotate`` batch jobs: what a job says, and what it would do that nobody asked for.

Such a job seals the keys of encrypted objects anew; it encrypts nothing that is not. Measured on
a server: it passes over fields it does not know, does not heed some it does, makes every version
it touches the newest, and drops the tags of objects.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mcpy.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mcpy.api.s3listing import Entry

SURVEY_LIMIT = 20_000
TEMPLATE = """\
keyrotate:
  apiVersion: v1
  bucket: {bucket}
  prefix: {prefix}
  encryption:
    type: {type} # sse-s3 or sse-kms: only objects encrypted so are meant to be in reach
    key: {key} # for sse-kms; without one, the server's default key

  # what is encrypted and matches is sealed anew; what is not encrypted stays so
  flags:
    filter:
      # newerThan: "7d" # objects younger than this, such as 7d10h31s
      # olderThan: "7d" # objects older than this
      # tags:
      #   - key: name
      #     value: "pick*" # objects whose tag has this value
      # metadata:
      #   - key: content-type
      #     value: "image/*" # objects whose metadata has this value
    # notify:
    #   endpoint: "https://notify.example" # is told how the job ends
    #   token: "Bearer xxxxx"
    retry:
      attempts: 10 # of the whole job
      delay: 500ms # between them, at least
"""

_FILTERS = (
    *("newerThan", "olderThan", "createdAfter", "createdBefore"),
    *("tags", "metadata", "kmskey", "kmskeyid"),
)
_FIELDS: dict[str, Any] = {
    "apiVersion": None,
    "bucket": None,
    "prefix": None,
    "encryption": {"type": None, "key": None, "context": None},
    "flags": {
        "filter": dict.fromkeys(_FILTERS),
        "notify": {"endpoint": None, "token": None},
        "retry": {"attempts": None, "delay": None},
    },
}
_USELESS_FILTERS = {
    "kmskey": "the server does not know it and rotates objects under every key",
    "kmskeyid": "the server does not heed it and rotates objects under every key",
    "createdAfter": "the server takes it for its opposite: objects made before are rotated",
    "createdBefore": "the server takes it for its opposite: objects made after are rotated",
}


@dataclass(frozen=True)
class Job:
    """One keyrotate job as its document says; ``traps`` are reasons not to start it."""

    bucket: str
    prefix: str
    scheme: str
    key: str
    traps: tuple[str, ...] = ()


@dataclass
class Survey:
    """What is in a job's reach; of a listing left early, ``left_after`` versions were seen."""

    encrypted: int = 0
    plain: int = 0
    unknown: int = 0
    sse_s3: int = 0
    sse_kms: int = 0
    tagged: int = 0
    revived: list[str] = field(default_factory=list)
    left_after: int | None = None

    def traps(self, job: Job) -> list[str]:
        """Return what the job would do that nobody asked for."""
        found = []
        if self.revived:
            example = f"`{self.revived[0]}`"
            found.append(
                f"{len(self.revived)} deleted object(s) come back, such as {example}: "
                "the version that is rotated becomes the newest, above the delete marker"
            )
        if self.tagged:
            found.append(f"{self.tagged} object(s) lose their tags")
        if job.scheme == "sse-s3" and self.sse_kms:
            found.append(
                f"the job fails: {self.sse_kms} object(s) in its reach are SSE-KMS, "
                "which sse-s3 cannot rotate"
            )
        return found

    def notes(self, job: Job) -> list[str]:
        """Return what stays as it is, for whoever expected otherwise."""
        found = []
        if self.plain:
            found.append(f"{self.plain} object(s) are not encrypted, and stay so")
        if job.scheme == "sse-kms" and self.sse_s3:
            found.append(f"{self.sse_s3} SSE-S3 object(s) stay SSE-S3, under the default key")
        if self.unknown:
            found.append(f"the encryption of {self.unknown} object(s) cannot be seen")
        if self.left_after is not None:
            found.append(f"only the first {self.left_after} versions were looked at")
        return found


def parse(document: object) -> Job | None:
    """Return the job a document describes, or None when it is of another type.

    Raises:
        InputError: it is no job, or not a whole one.
    """
    if not isinstance(document, dict) or not document:
        raise InputError(
            "the file describes no batch job", hint="mcpy batch generate ALIAS keyrotate"
        )
    rules = document.get("keyrotate")
    if rules is None:
        return None
    if not isinstance(rules, dict):
        raise InputError("`keyrotate` is not a mapping")
    encryption = rules.get("encryption") or {}
    if not isinstance(encryption, dict):
        raise InputError("`keyrotate.encryption` is not a mapping")
    scheme = str(encryption.get("type") or "")
    if scheme not in {"sse-s3", "sse-kms"}:
        raise InputError(f"`keyrotate.encryption.type` is `{scheme}`, not sse-s3 or sse-kms")
    bucket = str(rules.get("bucket") or "")
    if not bucket or bucket == "BUCKET":
        raise InputError("`keyrotate.bucket` names no bucket")
    prefix = rules.get("prefix") or ""
    if not isinstance(prefix, str):
        raise InputError("`keyrotate.prefix` is not a text")
    key = str(encryption.get("key") or "")
    return Job(bucket, prefix, scheme, key, tuple(_traps(rules, encryption)))


def _traps(rules: Mapping[str, Any], encryption: Mapping[str, Any]) -> list[str]:
    found = [f"`{name}` is a field no server knows" for name in _unknown(rules, _FIELDS, "")]
    flags = rules.get("flags")
    filters = flags.get("filter") if isinstance(flags, dict) else None
    for name, reason in _USELESS_FILTERS.items():
        if isinstance(filters, dict) and filters.get(name):
            found.append(f"the filter `{name}` is not what it says: {reason}")
    if encryption.get("context"):
        found.append("`encryption.context` is not heeded: objects keep their own context")
    if encryption.get("type") == "sse-s3" and encryption.get("key"):
        found.append("`encryption.key` is not heeded: sse-s3 uses the server's default key")
    return found


def _unknown(rules: Mapping[str, Any], known: Mapping[str, Any], place: str) -> list[str]:
    found = []
    for name, value in rules.items():
        if name not in known:
            found.append(f"{place}{name}")
        elif isinstance(known[name], dict) and isinstance(value, dict):
            found += _unknown(value, known[name], f"{place}{name}.")
    return found


def survey(
    entries: Iterable[Entry],
    *,
    limit: int = SURVEY_LIMIT,
    stop: Callable[[], bool] = lambda: False,
) -> Survey:
    """Count what a listing of all versions, with metadata, shows; newest versions come first.

    Args:
        entries: the listing, read as far as it is needed.
        limit: how many versions to look at.
        stop: whether there is no time for another one.
    """
    found = Survey()
    deleted = ""
    for number, entry in enumerate(entries):
        if number == limit or stop():
            found.left_after = number
            break
        if entry.is_delete_marker:
            deleted = entry.key if entry.is_latest else deleted  # its versions follow at once
            continue
        _count(found, entry)
        if entry.key == deleted and entry.encryption and entry.encryption.scheme:
            deleted = ""
            found.revived.append(entry.key)
    return found


def _count(found: Survey, entry: Entry) -> None:
    if entry.encryption is None:
        found.unknown += 1
        return
    scheme = entry.encryption.scheme
    found.plain += not scheme
    found.encrypted += bool(scheme)
    found.sse_s3 += scheme == "SSE-S3"
    found.sse_kms += scheme == "SSE-KMS"
    found.tagged += bool(scheme in {"SSE-S3", "SSE-KMS"} and entry.tags)
