"""DELETE of one object, and of a thousand in one request."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcpy.sandbox.s3 import entity, locks, transfer, watching
from mcpy.sandbox.s3.call import answer_xml, no_content
from mcpy.sandbox.s3.errors import S3Problem
from mcpy.sandbox.s3.xml import NAMESPACE, Markup, element
from mcpy.sandbox.store import NULL_VERSION, ObjectVersion

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcpy.sandbox.message import Response
    from mcpy.sandbox.s3.call import Call

MAX_DELETES = 1000
FORCE = "x-minio-force-delete"


@dataclass(frozen=True, slots=True)
class Deleted:
    """What a deletion did: the version removed, or the delete marker made.

    Attributes:
        found: whether there was anything to delete.
        marker: the version removed, or made, is a delete marker.
        created: the marker is new.
    """

    version_id: str = NULL_VERSION
    found: bool = True
    marker: bool = False
    created: bool = False


def delete_object(call: Call) -> Response:
    """Delete an object, or one version of it."""
    version_id = call.param("versionId").strip()
    if version_id:
        entity.check_version_id(version_id)
    if call.header(FORCE).lower() == "true":
        _delete_prefix(call)
        return no_content()
    return _answer(delete(call, call.key, version_id))


def _answer(deleted: Deleted) -> Response:
    headers = []
    if deleted.found and deleted.version_id != NULL_VERSION:
        headers.append(("x-amz-version-id", deleted.version_id))
        if deleted.marker:
            headers.append(("x-amz-delete-marker", "true"))
    return no_content(headers)


def delete(call: Call, key: str, version_id: str) -> Deleted:
    """Remove one version for good, or the object, which a versioned bucket only marks deleted.

    Raises:
        S3Problem: the version is protected.
        NoBucketError: there is no such bucket.
    """
    status = entity.versioning(call.store.bucket(call.bucket), key)
    if not version_id and status and not key.endswith("/"):
        return _mark(call, key, status)
    removed = call.store.remove(
        call.bucket, key, version_id or NULL_VERSION, check=_checker(call, locked=bool(version_id))
    )
    if removed is None:
        return Deleted(version_id or NULL_VERSION, found=False)
    return Deleted(removed.version_id, marker=removed.marker)


def delete_objects(call: Call) -> Response:
    """Delete up to 1,000 objects and answer what happened to each."""
    transfer.check_document(call)
    tree = call.document("Delete")
    wanted = [
        (entity.clean_key(item.value("Key") or ""), (item.value("VersionId") or "").strip())
        for item in tree.all("Object")
    ]
    if not 0 < len(wanted) <= MAX_DELETES:
        raise S3Problem.of("MalformedXML")
    call.store.bucket(call.bucket)
    done: list[Markup] = []
    failed: list[Markup] = []
    quiet = (tree.value("Quiet") or "").strip().lower() == "true"
    for key, version_id in wanted:
        try:
            call.demand(_action(version_id), f"{call.bucket}/{key}")
            deleted = _delete_listed(call, key, version_id)
            if call.watchers:
                watching.tell(call, "s3:ObjectRemoved:Delete", key, _answer(deleted))
            item = _deleted_element(key, version_id, deleted)
            done += [] if quiet else [item]
        except S3Problem as problem:
            failed.append(_error_element(key, version_id, problem))
    return answer_xml(element("DeleteResult", *done, *failed, xmlns=NAMESPACE))


def _action(version_id: str) -> str:
    return "s3:DeleteObjectVersion" if version_id else "s3:DeleteObject"


def _delete_listed(call: Call, key: str, version_id: str) -> Deleted:
    if version_id:
        try:
            entity.check_version_id(version_id)
        except S3Problem as e:
            reason = f"invalid UUID length: {len(version_id)}"
            raise S3Problem.of("NoSuchVersion", reason) from e
    return delete(call, key, version_id)


def _mark(call: Call, key: str, status: str) -> Deleted:
    version_id = str(uuid.uuid4()) if status == "Enabled" else NULL_VERSION
    if call.store.find(call.bucket, key) is None:
        # the real server makes no marker for what never was; in bulk it says it did
        return Deleted(version_id, found=False, marker=True, created=True)
    marker = ObjectVersion(key, call.now_ns, version_id, marker=True)
    call.store.commit(call.bucket, marker)
    return Deleted(version_id, marker=True, created=True)


def _checker(call: Call, *, locked: bool) -> Callable[[ObjectVersion], None] | None:
    if not locked or not locks.enabled(call.store.bucket(call.bucket)):
        return None

    def check(version: ObjectVersion) -> None:
        locks.check_delete(call, version)

    return check


def _delete_prefix(call: Call) -> None:
    if locks.enabled(call.store.bucket(call.bucket)):
        problem = S3Problem.of("XMinioAdminInvalidArgument")
        problem.message = "force-delete is forbidden on Object Locking enabled buckets"
        raise problem
    prefix = call.key.encode("utf-8", "surrogateescape")
    folder = prefix.rstrip(b"/") + b"/"
    while rows := call.store.scan(call.bucket, prefix, limit=1000):
        inside = [row for row in rows if row[0] == prefix or row[0].startswith(folder)]
        for row in inside:
            version = ObjectVersion.decode(row)
            call.store.remove(call.bucket, version.key, version.version_id)
        if not inside:
            return


def _deleted_element(key: str, version_id: str, deleted: Deleted) -> Markup:
    fields: list[Markup] = []
    if deleted.created:
        fields.append(element("DeleteMarker", "true"))
        fields.append(element("DeleteMarkerVersionId", deleted.version_id))
    fields.append(element("Key", key))
    if version_id:
        fields.append(element("VersionId", version_id))
    return element("Deleted", *fields)


def _error_element(key: str, version_id: str, problem: S3Problem) -> Markup:
    return element(
        "Error",
        element("Code", problem.code),
        element("Message", problem.message),
        element("Key", key),
        element("VersionId", version_id),
    )
