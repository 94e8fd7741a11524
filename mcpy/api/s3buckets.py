"""S3: buckets and what is set on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcpy.api import s3xml
from mcpy.api.s3calls import DEFAULT_REGION, S3Calls, content_md5
from mcpy.api.s3info import object_path
from mcpy.errors import ProtocolError, S3Error

if TYPE_CHECKING:
    from xml.etree import ElementTree as ET

    from mcpy.models import BucketEncryption

NO_ENCRYPTION = "ServerSideEncryptionConfigurationNotFoundError"
_NOTHING_SET = {
    "ObjectLockConfigurationNotFoundError",
    "NoSuchBucketPolicy",
    "NoSuchLifecycleConfiguration",
    "NoSuchTagSet",
    "ReplicationConfigurationNotFoundError",
}


class S3Buckets(S3Calls):
    """Buckets of one alias; every method raises S3Error when the server refuses."""

    def list_buckets(self) -> list[s3xml.Bucket]:
        """Return the buckets these credentials may see."""
        return s3xml.buckets(self.call("GET", "/").body, self.http.where)

    def make_bucket(self, bucket: str, *, region: str = "", with_lock: bool = False) -> None:
        """Create a bucket, with object lock (and so versioning) when asked."""
        body = b""
        if region and region != DEFAULT_REGION:
            body = (
                f'<CreateBucketConfiguration xmlns="{s3xml.NAMESPACE}"><LocationConstraint>'
                f"{region}</LocationConstraint></CreateBucketConfiguration>"
            ).encode()
        headers = {"x-amz-bucket-object-lock-enabled": "true"} if with_lock else {}
        self.call("PUT", object_path(bucket), headers=headers, content=body)

    def remove_bucket(self, bucket: str) -> None:
        """Delete an empty bucket."""
        self.delete(object_path(bucket))

    def bucket_exists(self, bucket: str) -> bool:
        """Whether the bucket is there; being denied to look counts as a refusal."""
        try:
            self.call("HEAD", object_path(bucket))
        except S3Error as e:
            if e.status == 404:
                return False
            raise
        return True

    def set_versioning(self, bucket: str, *, status: str) -> None:
        """Set a bucket's versioning to ``Enabled`` or ``Suspended``."""
        body = (
            f'<VersioningConfiguration xmlns="{s3xml.NAMESPACE}"><Status>{status}</Status>'
            "</VersioningConfiguration>"
        ).encode()
        query = [("versioning", "")]
        self.call("PUT", object_path(bucket), query=query, content=body, repeatable=True)

    def versioning(self, bucket: str) -> tuple[str, str]:
        """Return the status of versioning and of MFA delete, ``""`` where never set."""
        body = self._asked(bucket, "versioning")
        root = s3xml.versioning(body, self.http.where) if body else None
        return (
            ("", "")
            if root is None
            else (
                s3xml.text(root, "Status"),
                s3xml.text(root, "MfaDelete"),
            )
        )

    def location(self, bucket: str) -> str:
        """Return the bucket's region."""
        root = self._setting(bucket, "location", "LocationConstraint")
        return (root is not None and (root.text or "").strip()) or DEFAULT_REGION

    def object_lock(self, bucket: str) -> s3xml.ObjectLock:
        """Return the bucket's lock and its default retention, empty where there is none."""
        return s3xml.object_lock(self._setting(bucket, "object-lock", "ObjectLockConfiguration"))

    def bucket_policy(self, bucket: str) -> str:
        """Return the bucket's policy document, ``""`` for none."""
        answer = self._asked(bucket, "policy")
        return answer.decode("utf-8", "replace") if answer else ""

    def put_bucket_policy(self, bucket: str, policy: str) -> None:
        """Replace the bucket's whole policy document, or remove it for ``""``."""
        query = [("policy", "")]
        if not policy:
            try:
                self.delete(object_path(bucket), query=query, repeatable=True)
            except S3Error as e:
                if e.api_code not in _NOTHING_SET:
                    raise
            return
        body = policy.encode()
        headers = {"content-md5": content_md5(body), "content-type": "application/json"}
        path = object_path(bucket)
        self.call("PUT", path, query=query, headers=headers, content=body, repeatable=True)

    def bucket_setting(self, bucket: str, name: str) -> bytes:
        """Return the document of the sub-resource ``name`` of a bucket, empty when none is set."""
        return self._asked(bucket, name)

    def get_bucket_encryption(self, bucket: str) -> BucketEncryption | None:
        """Return the bucket's default encryption, or None when it has none.

        Raises:
            UnsupportedError: the server does not know the question.
        """
        try:
            answer = self.call("GET", object_path(bucket), query=[("encryption", "")])
        except S3Error as e:
            if e.api_code == NO_ENCRYPTION:
                return None
            raise
        return s3xml.bucket_encryption(answer.body, self.http.where)

    def put_bucket_encryption(
        self, bucket: str, wanted: BucketEncryption, *, current: BucketEncryption | None
    ) -> None:
        """Set the bucket's default encryption, keeping the rest of ``current``."""
        body = s3xml.encryption_document(wanted, current)
        headers = {"content-md5": content_md5(body), "content-type": "application/xml"}
        path, query = object_path(bucket), [("encryption", "")]
        self.call("PUT", path, query=query, headers=headers, content=body, repeatable=True)

    def delete_bucket_encryption(self, bucket: str, *, current: BucketEncryption) -> None:
        """Remove the bucket's default encryption.

        ``current`` must come from ``get_bucket_encryption``: a server that does not know
        ``?encryption`` would delete the bucket instead.
        """
        if not current.document:
            raise ProtocolError(f"the encryption of `{bucket}` was not read from the server")
        self.delete(object_path(bucket), query=[("encryption", "")])

    def _asked(self, bucket: str, name: str) -> bytes:
        try:
            return self.call("GET", object_path(bucket), query=[(name, "")]).body
        except S3Error as e:
            if e.api_code in _NOTHING_SET:
                return b""
            raise

    def _setting(self, bucket: str, name: str, root: str) -> ET.Element | None:
        body = self._asked(bucket, name)
        return s3xml.parse(body, root=root, where=self.http.where) if body else None
