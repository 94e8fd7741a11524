"""Write the file of ``encrypt plan`` from what is there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import tomli_w

from mcpy.errors import ApiError, ProtocolError
from mcpy.fleet.plan import uploads
from mcpy.models import ALGORITHMS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mcpy.fleet.plan.keys import Site
    from mcpy.models import BucketEncryption

HEAD = """\
# What encryption should be. `mcpy encrypt plan FILE` shows what differs (exit 3 when anything
# does), `mcpy encrypt apply FILE` makes it so. What a table does not say is left as it is.
# Servers are named by alias: no secret belongs in here.
"""
KEYS = """
# Keys, as "ALIAS/KEY". `create = true` makes a key that is missing. A key is never deleted.
# Never say it of a key that is lost: a new one of its name cannot read what the old one encrypted.
"""
BUCKETS = """
# Buckets, as "ALIAS/BUCKET" or "ALIAS/PATTERN"; a name goes before a pattern, a longer pattern
# before a shorter one, and one table alone speaks of a bucket.
#   encryption = "sse-s3" | "sse-kms" | "none"    of new objects; "none" clears the default
#   key = "KEY"                                   with sse-kms
#   require = "sse-s3" | "sse-kms[:KEY]" | "any"  of every object that is there
#   uploads = "any" | "same-or-default" | "same"  a policy refuses other uploads
"""
_UNMANAGED = '# no default encryption; `encryption = "none"` would keep it so\n'


@dataclass
class Exported:
    """One alias's part: key names, and buckets with their defaults and modes."""

    alias: str
    keys: list[str] = field(default_factory=list)
    buckets: list[tuple[str, BucketEncryption | None, str]] = field(default_factory=list)
    all_keys: bool = True


def read(site: Site, buckets: Iterable[str], *, everything: bool) -> Exported:
    """Return what is set on buckets, and the keys they use; with ``everything``, all keys."""
    found = Exported(site.name)
    for bucket in buckets:
        default = site.s3.get_bucket_encryption(bucket)
        mode = ""
        if default and default.algorithm in ALGORITHMS.values():
            mode = uploads.mode_of(site.s3.bucket_policy(bucket), bucket, default)
        found.buckets.append((bucket, default, mode))
    used = {default.key for _, default, _ in found.buckets if default and default.key_id}
    listed: set[str] = set()
    if everything:
        try:
            listed = set(site.admin.list_keys())
        except (ApiError, ProtocolError):
            found.all_keys = False  # not MinIO, or not ours to list
    found.keys = sorted(used | listed)
    return found


def write(parts: Iterable[Exported]) -> str:
    """Return the file, with comments for whoever reads the first one of their life."""
    parts = list(parts)
    text = [HEAD, KEYS]
    for part in parts:
        if not part.all_keys:
            text.append(
                f"# The keys of `{part.alias}` cannot be listed: these are those in use.\n"
            )
        text += [_table("keys", f"{part.alias}/{key}", {"create": False}) for key in part.keys]
    text.append(BUCKETS)
    for part in parts:
        text += [_bucket(part.alias, *bucket) for bucket in part.buckets]
    return "".join(text)


def _bucket(alias: str, name: str, default: BucketEncryption | None, mode: str) -> str:
    schemes: dict[str, str] = {algorithm: scheme for scheme, algorithm in ALGORITHMS.items()}
    fields: dict[str, object] = {}
    if default and default.algorithm in schemes:
        fields["encryption"] = schemes[default.algorithm]
        fields |= {"key": str(default.key)} if default.key_id else {}
        fields |= {"uploads": mode} if mode not in {"", "any", uploads.ALTERED} else {}
    table = _table("buckets", f"{alias}/{name}", fields)
    if default is None:
        return table + _UNMANAGED
    if not fields:
        return table + f"# its default is `{default.algorithm}`, which this file has no word for\n"
    if mode == uploads.ALTERED:
        table += (
            "# its policy holds statements of mcpy's that were changed: `uploads` is left out\n"
        )
    return table


def _table(kind: str, name: str, fields: dict[str, object]) -> str:
    return "\n" + tomli_w.dumps({kind: {name: fields}})
