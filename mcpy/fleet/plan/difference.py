"""What differs between a file and the servers: every item, wanted beside found."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mcpy.errors import InputError, McpyError, S3Error
from mcpy.fleet.parallel import Stop, each
from mcpy.fleet.plan import uploads
from mcpy.fleet.plan.document import NONE
from mcpy.fleet.plan.item import CheckObjects, CreateKey, Item, SetDefault, SetUploads, words

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcpy.fleet.plan.document import Desired, WantedBucket, WantedKey
    from mcpy.fleet.plan.keys import Site
    from mcpy.models import BucketEncryption


class Comparison:
    """Compares one file with the servers it names.

    Args:
        desired: the file.
        sites: the clients of an alias.
        jobs: buckets read at a time.
        say: told which bucket was read.
    """

    def __init__(
        self,
        desired: Desired,
        sites: Callable[[str], Site],
        *,
        jobs: int = 4,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.desired = desired
        self.sites = sites
        self._jobs = jobs
        self._say = say

    def items(self) -> list[Item]:
        """Return every item in the order in which they have to be done: keys, defaults, policies.

        What cannot be read is an item that failed.
        """
        found = [self._guarded(self._key, key) for key in self.desired.keys]

        def report(pair: tuple[WantedBucket, str], outcome: list[Item] | McpyError) -> None:
            target = f"{pair[0].alias}/{pair[1]}"
            self._say(target)
            found.extend(outcome if isinstance(outcome, list) else [_unread(target, outcome)])

        each(self._buckets(found), self._bucket, report, jobs=self._jobs, stop=Stop())
        order = ("key", "bucket", "default", "uploads", "objects")
        return sorted(found, key=lambda item: order.index(item.what))

    def _guarded(self, read: Callable[[WantedKey], Item], key: WantedKey) -> Item:
        item = Item(f"{key.alias}/{key.name}", "key", "failed", want="there")
        try:
            return read(key)
        except McpyError as e:
            return item.failed(e)

    def _key(self, key: WantedKey) -> Item:
        site = self.sites(key.alias)
        state = site.key_state(key.name)
        item = Item(f"{key.alias}/{key.name}", "key", "same", have=state.is_, want="works")
        if state.is_ == "works":
            return item
        if state.is_ == "unknown":
            return replace(item, state="unchecked", note=f"`{key.alias}` cannot be asked for keys")
        if state.is_ == "broken" or not key.create:
            error = state.error()
            return replace(item, state="finding", note=error.hint or error.message)
        if users := site.users_of(key.name):
            # a new key of the same name would hide that what the old one encrypted is lost
            note = f"{users[0]} encrypts by it already: mcpy kes key import {key.name} @BACKUP"
            return replace(item, state="finding", note=note)
        return replace(item, state="change", act=CreateKey(key.alias, key.name))

    def _buckets(self, found: list[Item]) -> list[tuple[WantedBucket, str]]:
        """Return entries with the buckets they speak of; add to ``found`` what cannot be told."""
        pairs: list[tuple[WantedBucket, str]] = []
        for alias in self.desired.aliases:
            entries = [entry for entry in self.desired.buckets if entry.alias == alias]
            pairs += self._of_alias(alias, entries, found)
        return pairs

    def _of_alias(
        self, alias: str, entries: list[WantedBucket], found: list[Item]
    ) -> list[tuple[WantedBucket, str]]:
        exact = [(entry, entry.bucket) for entry in entries if not entry.pattern]
        patterns = [entry for entry in entries if entry.pattern]
        if not patterns:
            return exact
        try:
            names = [bucket.name for bucket in self.sites(alias).s3.list_buckets()]
        except McpyError as e:
            found += [_unread(str(entry), e) for entry in patterns]
            return exact
        taken = {name for _, name in exact}
        matched: set[WantedBucket] = set()
        for name in (name for name in names if name not in taken):
            try:
                if entry := best(patterns, alias, name):
                    matched.add(entry)
                    exact.append((entry, name))
            except InputError as e:
                found.append(_unread(f"{alias}/{name}", e))
        found += [
            Item(str(entry), "bucket", "finding", "none", "", "no bucket matches the pattern")
            for entry in patterns
            if entry not in matched and not any(entry.matches(alias, name) for name in names)
        ]
        return exact

    def _bucket(self, pair: tuple[WantedBucket, str]) -> list[Item]:
        entry, name = pair
        site, target = self.sites(entry.alias), f"{entry.alias}/{name}"
        try:
            default = site.s3.get_bucket_encryption(name)
            policy = site.s3.bucket_policy(name) if entry.uploads else ""
        except S3Error as e:
            if e.api_code != "NoSuchBucket":
                raise
            missing = Item(target, "bucket", "finding", "missing", "there", f"mcpy mb {target}")
            return [missing]
        found = []
        if entry.encryption is not None:
            found.append(self._default(site, target, entry, default))
        if entry.uploads:
            found.append(_uploads(target, entry, policy))
        if entry.require:
            look = CheckObjects(entry.alias, name, entry.require, entry.encryption)
            want = str(entry.require)
            found.append(Item(target, "objects", "unchecked", "", want, "not looked at", look))
        return found

    def _default(
        self, site: Site, target: str, entry: WantedBucket, default: BucketEncryption | None
    ) -> Item:
        wanted = entry.encryption or NONE
        item = Item(
            target,
            "default",
            "same",
            words(default),
            words(wanted) if wanted.algorithm else "none",
        )
        same = (
            default is None if not wanted.algorithm else bool(default and default.same_as(wanted))
        )
        act = SetDefault(site.name, target.partition("/")[2], wanted, default)
        if not wanted.algorithm:
            return item if same else replace(item, state="change", act=act)
        state = site.key_state(wanted.key)
        if not state.usable and not self.desired.creates(site.name, state.name):
            error = state.error()
            note = f"{error.message}: {error.hint}" if error.hint else error.message
            return replace(item, state="finding", note=note)
        note = "" if state.is_ != "unknown" else "nobody can be asked whether its key works"
        return (
            replace(item, note=note) if same else replace(item, state="change", act=act, note=note)
        )


def best(patterns: list[WantedBucket], alias: str, bucket: str) -> WantedBucket | None:
    """Return the entry whose pattern says most about a bucket.

    Raises:
        InputError: two say as much.
    """
    matching = [entry for entry in patterns if entry.matches(alias, bucket)]
    matching.sort(key=lambda entry: -len(entry.bucket))
    if len(matching) > 1 and len(matching[0].bucket) == len(matching[1].bucket):
        raise InputError(
            f"`{matching[0]}` and `{matching[1]}` both match `{alias}/{bucket}`",
            hint=f'[buckets."{alias}/{bucket}"] in the file says which',
        )
    return matching[0] if matching else None


def _uploads(target: str, entry: WantedBucket, policy: str) -> Item:
    alias, _, bucket = target.partition("/")
    wanted, mode = entry.encryption or NONE, entry.uploads or "any"
    have = uploads.mode_of(policy, bucket, wanted)
    act = SetUploads(alias, bucket, wanted, mode, policy)
    item = Item(target, "uploads", "same" if have == mode else "change", have, mode, act=act)
    if have == mode:
        return replace(item, act=None)
    note = "" if mode == "any" else "tried first in a bucket of its own: not every server obeys"
    return replace(item, note=note)


def _unread(target: str, error: McpyError) -> Item:
    return Item(target, "bucket", "failed").failed(error)
