"""The XML of S3 that mcpy reads and writes: bucket settings, tags, deletions."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree as ET

from mcpy.api.refusals import local_name
from mcpy.errors import ProtocolError, S3Error, UnsupportedError
from mcpy.models import BucketEncryption

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_ENCRYPTION_ROOT = "ServerSideEncryptionConfiguration"


@dataclass(frozen=True)
class Bucket:
    """A bucket as ListBuckets shows it; ``created`` is RFC 3339."""

    name: str
    created: str


def parse(body: bytes, *, root: str = "", where: str) -> ET.Element:
    """Return the document whose root is called ``root``, or whatever it is.

    Raises:
        ProtocolError: it is no XML, or another document.
    """
    try:
        element = ET.fromstring(body)  # noqa: S314 - expat bounds entities, the client the size
    except ET.ParseError as e:
        what = "an empty body" if not body else "something other than XML"
        raise ProtocolError(f"{where} answered {what}: is it an S3 server?") from e
    if root and local_name(element) != root:
        raise ProtocolError(f"{where} answered <{local_name(element)}> where <{root}> was due")
    return element


@dataclass(frozen=True)
class Deletion:
    """A deletion that was done; ``marker_id`` names the delete marker it left, if it left one."""

    key: str
    version_id: str = ""
    marker_id: str = ""


@dataclass(frozen=True)
class ObjectLock:
    """A bucket's object lock; ``validity`` is a number with ``DAYS`` or ``YEARS``."""

    enabled: str = ""
    mode: str = ""
    validity: str = ""


def _child(element: ET.Element, name: str) -> ET.Element | None:
    return next((child for child in element if local_name(child) == name), None)


def text(element: ET.Element, name: str) -> str:
    """Return the text of the child called ``name``, or ``""``."""
    child = _child(element, name)
    return (child.text or "") if child is not None else ""


def buckets(body: bytes, where: str) -> list[Bucket]:
    """Read ListAllMyBucketsResult."""
    listed = _child(parse(body, root="ListAllMyBucketsResult", where=where), "Buckets")
    # `listed or ()` would ask an element for its truth value, which Python 3.12 warns of
    found = () if listed is None else listed
    return [Bucket(text(b, "Name"), text(b, "CreationDate")) for b in found]


def bucket_encryption(body: bytes, where: str) -> BucketEncryption:
    """Read a bucket's encryption configuration.

    Raises:
        UnsupportedError: the server ignored ``?encryption`` and answered something else; some
            answer 200 with a listing, and would delete the bucket on DELETE.
    """
    try:
        root = parse(body, root=_ENCRYPTION_ROOT, where=where)
    except ProtocolError as e:
        raise UnsupportedError(f"bucket encryption is unknown to {where}: {e}") from e
    default = _default_element(root)
    if default is None:
        return BucketEncryption("", document=body)
    algorithm, key_id = text(default, "SSEAlgorithm"), text(default, "KMSMasterKeyID")
    return BucketEncryption(algorithm.strip(), key_id.strip(), document=body)


def _default_element(root: ET.Element) -> ET.Element | None:
    rule = _child(root, "Rule")
    return None if rule is None else _child(rule, "ApplyServerSideEncryptionByDefault")


def encryption_document(wanted: BucketEncryption, current: BucketEncryption | None) -> bytes:
    """Write the configuration for ``wanted``, keeping what ``current`` holds beside it.

    PUT replaces the whole document: whatever is left out (``BlockedEncryptionTypes``,
    ``BucketKeyEnabled``) would be switched off.
    """
    ET.register_namespace("", NAMESPACE)
    if current and current.document:
        root = ET.fromstring(current.document)  # noqa: S314 - parsed once already
    else:
        root = ET.Element(f"{{{NAMESPACE}}}{_ENCRYPTION_ROOT}")
    space = root.tag.removesuffix(_ENCRYPTION_ROOT)
    rule = _sub(root, f"{space}Rule")
    default = _sub(rule, f"{space}ApplyServerSideEncryptionByDefault")
    for child in list(default):
        if local_name(child) in {"SSEAlgorithm", "KMSMasterKeyID"}:
            default.remove(child)
    ET.SubElement(default, f"{space}SSEAlgorithm").text = wanted.algorithm
    if wanted.key_id:
        ET.SubElement(default, f"{space}KMSMasterKeyID").text = wanted.key_id
    return bytes(ET.tostring(root, encoding="utf-8"))


def _sub(parent: ET.Element, tag: str) -> ET.Element:
    found = _child(parent, tag.rpartition("}")[2])
    return ET.SubElement(parent, tag) if found is None else found


def deletions(root: ET.Element) -> dict[tuple[str, str], Deletion | S3Error]:
    """Read DeleteResult: what became of each key and version."""
    found: dict[tuple[str, str], Deletion | S3Error] = {}
    for element in root:
        key, version_id = text(element, "Key"), text(element, "VersionId")
        if local_name(element) == "Deleted":
            marker = text(element, "DeleteMarkerVersionId") if not version_id else ""
            found[key, version_id] = Deletion(key, version_id, marker)
            if marker:  # made, or deleted by a server (SeaweedFS) that names it here alone
                found[key, marker] = Deletion(key, marker)
        elif local_name(element) == "Error":
            code, message = text(element, "Code"), text(element, "Message")
            status = 403 if code == "AccessDenied" else 400
            found[key, version_id] = S3Error(status, code, message, fields={"Key": key})
    return found


def tags(body: bytes, where: str) -> dict[str, str]:
    """Read Tagging."""
    listed = _child(parse(body, root="Tagging", where=where), "TagSet")
    return {text(tag, "Key"): text(tag, "Value") for tag in (listed if listed is not None else ())}


def versioning(body: bytes, where: str) -> ET.Element:
    """Read VersioningConfiguration; moto gives it another name where none was ever set."""
    root = parse(body, where=where)
    known = local_name(root) == "GetBucketVersioningResponse"
    return root if known else parse(body, root="VersioningConfiguration", where=where)


def object_lock(root: ET.Element | None) -> ObjectLock:
    """Read ObjectLockConfiguration; None for a bucket without a lock."""
    if root is None:
        return ObjectLock()
    rule = _child(root, "Rule")
    retention = _child(rule, "DefaultRetention") if rule is not None else None
    if retention is None:
        return ObjectLock(text(root, "ObjectLockEnabled"))
    days, years = text(retention, "Days"), text(retention, "Years")
    validity = f"{days}DAYS" if days else f"{years}YEARS"
    return ObjectLock(text(root, "ObjectLockEnabled"), text(retention, "Mode"), validity)
