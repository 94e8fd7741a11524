"""Make the servers what the file says: keys first, then defaults, then policies.

Each act looks again before it changes anything: S3 knows no condition on these settings, so what
somebody changed since the comparison is found up to the last moment, and not beyond it. Each is
read back. What fails leaves the rest to be done, and a second run does what is missing.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mcpy.errors import McpyError, NotFoundError, ProtocolError
from mcpy.fleet.default_encryption import clear_default, store_default
from mcpy.fleet.plan import uploads
from mcpy.fleet.plan.canary import Canary, NoCanaryError
from mcpy.fleet.plan.item import CreateKey, SetDefault, SetUploads, words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mcpy.fleet.plan.item import Act, Item, What
    from mcpy.fleet.plan.keys import Site
    from mcpy.models import BucketEncryption


class ChangedError(McpyError):
    """Somebody changed a setting after it was compared with the file."""

    def __init__(self, target: str, what: str) -> None:
        super().__init__(
            f"somebody changed the {what} of `{target}` meanwhile: it was left alone",
            hint="mcpy encrypt plan FILE, to see what it is now",
        )


@dataclass
class Applying:
    """One run of ``encrypt apply``.

    Attributes:
        sites: the clients of an alias.
        canary: tries whether a server keeps to a policy.
    """

    sites: Callable[[str], Site]
    canary: Canary = field(default_factory=Canary)
    _without: set[tuple[What, str]] = field(default_factory=set)

    def run(self, items: Iterable[Item]) -> Iterator[Item]:
        """Do what the items ask for, in their order; yield each with what became of it."""
        for item in items:
            if item.state != "change" or item.act is None:
                self._note(item)
                yield item
                continue
            try:
                self._do(item.act)
            except McpyError as e:
                done = item.failed(e)
            else:
                done = replace(item, state="done", note="")
            self._note(done)
            yield done

    def _note(self, item: Item) -> None:
        """Remember what is not as it should be: other things depend on it."""
        if item.state in {"finding", "failed"}:
            self._without.add((item.what, item.target))

    def _do(self, act: Act) -> None:
        site = self.sites(act.alias)
        if isinstance(act, CreateKey):
            site.create_key(act.name)
        elif isinstance(act, SetDefault):
            self._need_key(act.alias, act.wanted)
            self._set_default(site, act)
        elif isinstance(act, SetUploads):
            self._need_key(act.alias, act.wanted)
            self._set_uploads(site, act)

    def _need_key(self, alias: str, wanted: BucketEncryption) -> None:
        if ("key", f"{alias}/{wanted.key}") in self._without:
            raise NotFoundError(f"its key `{wanted.key}` cannot be used")

    def _set_default(self, site: Site, act: SetDefault) -> None:
        if not act.wanted.algorithm:
            _current(site, act)
            clear_default(site.s3, act.bucket)
            return
        state = site.key_state(act.wanted.key, again=True)
        if not state.usable:
            raise state.error()
        if state.is_ == "unknown":
            self._try_default(site, act.wanted)
        store_default(site.s3, act.bucket, act.wanted, current=_current(site, act))

    def _try_default(self, site: Site, wanted: BucketEncryption) -> None:
        """Try by an upload what nobody can be asked: whether the server can encrypt so."""
        try:
            self.canary.prove_default(site.s3, wanted)
        except NoCanaryError as e:
            self.canary.say(f"{e.message}: the default is set untried")

    def _set_uploads(self, site: Site, act: SetUploads) -> None:
        target = f"{act.alias}/{act.bucket}"
        if act.mode != "any" and ("default", target) in self._without:
            # what asks for nothing would be let in, and be stored as it comes
            raise McpyError("its default encryption is not as wanted, and comes first")
        if act.mode != "any":
            self.canary.prove(site.s3, act.wanted, act.mode)
        policy = site.s3.bucket_policy(act.bucket)
        if not uploads.same_meaning(policy, act.seen):
            raise ChangedError(target, "policy")
        wanted = uploads.merged(policy, uploads.statements(act.bucket, act.wanted, act.mode))
        site.s3.put_bucket_policy(act.bucket, wanted)
        if not uploads.same_meaning(site.s3.bucket_policy(act.bucket), wanted):
            raise ProtocolError(f"the server took the policy of `{target}` and shows another")


def _current(site: Site, act: SetDefault) -> BucketEncryption | None:
    """Return the default as it is now, when it is what it was."""
    current = site.s3.get_bucket_encryption(act.bucket)
    if words(current) != words(act.seen):
        raise ChangedError(f"{act.alias}/{act.bucket}", "default encryption")
    return current
