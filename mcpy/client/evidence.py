"""What is stored, how it is encrypted, and what needs a key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcpy.models import Target, check_key_name

if TYPE_CHECKING:
    from collections.abc import Generator

    from mcpy.api.madmin import MinioAdmin
    from mcpy.api.s3 import S3
    from mcpy.fleet.audit import AuditedTarget
    from mcpy.fleet.explain import Explanation
    from mcpy.fleet.impact import Impact
    from mcpy.fleet.inventory import Item
    from mcpy.models import Alias


class Evidence:
    """What a client finds out of what is stored; nothing is changed."""

    alias: Alias
    s3: S3
    admin: MinioAdmin

    def inventory(
        self, bucket: str, prefix: str = "", *, versions: bool = True
    ) -> Generator[Item]:
        """Yield each version with how it says it is encrypted, in key order, newest first.

        What may not be seen is ``unknown``, what the KMS cannot open ``unreadable``, and neither
        is ever ``plain``. Close it, or read it to its end: it has threads.
        """
        from mcpy.fleet.inventory import scan

        return scan(self.s3, bucket, prefix, versions=versions)

    def audit(
        self, bucket: str, prefix: str = "", *, require: str = "", decrypt: int = 0
    ) -> AuditedTarget:
        """Count every version by scheme and key.

        Args:
            bucket: which.
            prefix: an object, or a folder.
            require: ``sse-s3``, ``sse-kms``, ``sse-kms:KEY`` or ``any``; the tally counts what is
                not so.
            decrypt: how many versions of each scheme and key to open.
        """
        from mcpy.fleet.audit import AuditedTarget, Requirement, Watch, Wish, audit_target
        from mcpy.fleet.parallel import Stop

        audited = AuditedTarget(Target(self.alias.name, bucket, prefix))
        wish = Wish(requirement=Requirement.parse(require) if require else None, open=decrypt)
        audit_target(self.s3, audited, wish, watch=Watch(), stop=Stop())
        return audited

    def impact(self, key: str, *, never_default: bool = False) -> Impact:
        """Say what would become unreadable without ``key``, and how complete the answer is.

        ``never_default`` vouches that the key never was the server's default, so that no SSE-S3
        object needs it.
        """
        from mcpy.fleet.impact import Impact, Look, measure
        from mcpy.fleet.impact.report import stamp
        from mcpy.fleet.parallel import Stop

        name = check_key_name(key)
        begun = stamp()  # what is written while it is measured may not be in it
        found = measure(self.s3, self.admin, [name], Look(Stop()))
        return Impact(name, begun, never_default, [found[name]])

    def explain(self, bucket: str, key: str = "", *, version_id: str = "") -> Explanation:
        """Draw the chain of keys of one object, or of what a bucket's default encrypts."""
        from mcpy.fleet.explain import explain_bucket, explain_object

        target = Target(self.alias.name, bucket, key)
        if key:
            return explain_object(self.s3, self.admin, target, version_id)
        return explain_bucket(self.s3, self.admin, target)
