"""What can be set on a bucket: encryption, versioning, tags, object lock."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mcpy.sandbox.envelope import ARN
from mcpy.sandbox.kms import KmsProblem
from mcpy.sandbox.message import Response
from mcpy.sandbox.s3 import locks, sse, tags, xml
from mcpy.sandbox.s3.call import answer_xml, no_content
from mcpy.sandbox.s3.errors import S3Problem
from mcpy.sandbox.s3.versioning import EXCLUDED, FOLDERS
from mcpy.sandbox.s3.xml import NAMESPACE, Markup, element

if TYPE_CHECKING:
    from mcpy.sandbox.s3.call import Call
    from mcpy.sandbox.s3.xml import Node

PROBE_CONTEXT = {"MinIO admin API": "ServerInfoHandler"}
MAX_LOCK_DAYS = 36500
MAX_EXCLUDED = 10


def put_encryption(call: Call) -> Response:
    """Set the default encryption; only SSE-KMS asks the KMS whether that will work."""
    call.store.bucket(call.bucket)
    try:
        config = xml.parse(call.text(), "ServerSideEncryptionConfiguration")
    except xml.XmlProblem as e:
        raise _malformed(str(e)) from e
    algorithm, key = _encryption_rule(config)
    if call.kms is None:
        raise S3Problem.of("KmsNotConfigured")
    if key:
        try:
            call.kms.generate(key.removeprefix(ARN), PROBE_CONTEXT)
        except KmsProblem as e:
            raise sse.generation_problem(e) from e
    call.store.configure(call.bucket, "encryption", f"{algorithm} {key}")
    return Response(200)


def get_encryption(call: Call) -> Response:
    """Answer the default encryption."""
    default = sse.bucket_default(call.store.bucket(call.bucket))
    if default is None:
        raise S3Problem.of("ServerSideEncryptionConfigurationNotFoundError")
    algorithm, key = default
    fields = [element("SSEAlgorithm", algorithm)] if algorithm else []
    fields += [element("KMSMasterKeyID", key)] if key else []
    rule = element("Rule", element("ApplyServerSideEncryptionByDefault", *fields))
    root = element("ServerSideEncryptionConfiguration", rule, xmlns=NAMESPACE)
    return answer_xml(root, declaration=False)


def delete_encryption(call: Call) -> Response:
    """Remove the default encryption, if there is one."""
    call.store.configure(call.bucket, "encryption", None)
    return no_content()


def _encryption_rule(config: Node) -> tuple[str, str]:
    rules = list(config.all("Rule"))
    if len(rules) != 1:
        raise _malformed("only one server-side encryption rule is allowed at a time")
    default = rules[0].first("ApplyServerSideEncryptionByDefault") or xml.Node("")
    algorithm, key = default.value("SSEAlgorithm"), default.value("KMSMasterKeyID") or ""
    if algorithm is None:  # the real server takes it, and it encrypts nothing
        return "", key
    if algorithm not in {"AES256", "aws:kms"}:
        raise _malformed("Unknown SSE algorithm")
    if algorithm == "AES256" and key:
        raise _malformed("MasterKeyID is allowed with aws:kms only")
    if algorithm == "aws:kms" and not key.removeprefix(ARN):
        raise _malformed("MasterKeyID is missing with aws:kms")
    if key != key.strip(" "):
        raise _malformed("MasterKeyID contains unsupported characters")
    return algorithm, key


def put_versioning(call: Call) -> Response:
    """Enable or suspend versioning."""
    config = call.document("VersioningConfiguration")
    status = (config.value("Status") or "").strip()
    excluded = [item.value("Prefix") or "" for item in config.all("ExcludedPrefixes")]
    folders = (config.value("ExcludeFolders") or "").strip() == "true"
    if status not in {"Enabled", "Suspended"}:
        raise _illegal(f"unsupported Versioning status {status}")
    if status == "Suspended" and excluded:
        raise _illegal("excluded prefixes extension supported only when versioning is enabled")
    if len(excluded) > MAX_EXCLUDED:
        raise _illegal("too many excluded prefixes")
    partly = status == "Suspended" or excluded or folders
    if partly and locks.enabled(call.store.bucket(call.bucket)):
        raise S3Problem(
            "InvalidBucketState",
            400,
            "An Object Lock configuration is present on this bucket,"
            " versioning cannot be suspended.",
        )
    call.store.configure(call.bucket, EXCLUDED, json.dumps(excluded) if excluded else None)
    call.store.configure(call.bucket, FOLDERS, "true" if folders else None)
    call.store.configure(call.bucket, "versioning", status)
    _keep_namespace(call, "versioning")
    return Response(200)


def _illegal(reason: str) -> S3Problem:
    text = f"Versioning configuration specified in the request is invalid. ({reason})"
    return S3Problem("IllegalVersioningConfigurationException", 400, text)


def get_versioning(call: Call) -> Response:
    """Answer whether versioning is enabled, suspended, or neither."""
    config = call.store.bucket(call.bucket).config
    status = config.get("versioning", "")
    fields = [element("Status", status)] if status else []
    excluded = json.loads(config.get(EXCLUDED, "[]"))
    fields += [element("ExcludedPrefixes", element("Prefix", prefix)) for prefix in excluded]
    if FOLDERS in config:
        fields.append(element("ExcludeFolders", "true"))
    xmlns = config.get("versioning-xmlns", NAMESPACE)
    root = element("VersioningConfiguration", *fields, xmlns=xmlns)
    return answer_xml(root, declaration=False)


def put_tagging(call: Call) -> Response:
    """Set the bucket's tags."""
    try:
        found = tags.parse_xml(call.document("Tagging"), tags.MAX_BUCKET_TAGS)
    except S3Problem as problem:
        problem.code = "MalformedXML" if problem.code == "InvalidTag" else problem.code
        raise
    call.store.configure(call.bucket, "tagging", tags.to_header(found))
    return Response(200)


def get_tagging(call: Call) -> Response:
    """Answer the bucket's tags."""
    text = call.store.bucket(call.bucket).config.get("tagging")
    if text is None:
        raise S3Problem.of("NoSuchTagSet")
    return answer_xml(tags.to_xml(tags.read_stored(text)), declaration=False)


def delete_tagging(call: Call) -> Response:
    """Remove the bucket's tags."""
    call.store.configure(call.bucket, "tagging", None)
    return no_content()


def put_object_lock(call: Call) -> Response:
    """Set the default retention of a bucket that has object lock."""
    try:
        rule = _lock_rule(xml.parse(call.text(), "ObjectLockConfiguration"))
    except ValueError as e:
        problem = S3Problem.of("InvalidArgument")
        problem.message = str(e)
        raise problem from e
    bucket = call.store.bucket(call.bucket)
    if not locks.enabled(bucket):
        raise S3Problem.of("InvalidBucketState")
    call.store.configure(call.bucket, "object-lock", rule)
    _keep_namespace(call, "object-lock")
    return Response(200)


def get_object_lock(call: Call) -> Response:
    """Answer the default retention."""
    config = call.store.bucket(call.bucket).config
    rule = config.get("object-lock")
    if rule is None:
        raise S3Problem.of("ObjectLockConfigurationNotFoundError")
    fields: list[Markup] = [element("ObjectLockEnabled", "Enabled")]
    if rule:
        mode, count, unit = rule.split()
        retention = element("DefaultRetention", element("Mode", mode), element(unit, count))
        fields.append(element("Rule", retention))
    xmlns = config.get("object-lock-xmlns", NAMESPACE)
    return answer_xml(element("ObjectLockConfiguration", *fields, xmlns=xmlns), declaration=False)


def _lock_rule(config: Node) -> str:
    """Return ``MODE COUNT Days|Years``, nothing if there is no default.

    Raises:
        ValueError: in the words the client hears.
    """
    if config.value("ObjectLockEnabled") != "Enabled":
        raise ValueError("only 'Enabled' value is allowed to ObjectLockEnabled element")
    rule = config.first("Rule")
    if rule is None:
        return ""
    retention = rule.first("DefaultRetention") or xml.Node("")
    mode = retention.value("Mode") or ""
    if mode not in locks.MODES:
        raise ValueError(f"unknown retention mode {mode}")
    days, years = retention.value("Days"), retention.value("Years")
    if days is None and years is None:
        raise ValueError("either Days or Years must be specified")
    if days is not None and years is not None:
        raise ValueError("either Days or Years must be specified, not both")
    unit, text = ("Days", days) if days is not None else ("Years", years)
    return f"{mode} {_count(text or '', unit)} {unit}"


def _count(text: str, unit: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise ValueError(f"Default retention period must be a positive integer value for '{unit}'")
    limit = MAX_LOCK_DAYS if unit == "Days" else MAX_LOCK_DAYS // 365
    if int(text) > limit:
        raise ValueError(f"Default retention period too large for '{unit}' {text}")
    return int(text)


def _keep_namespace(call: Call, part: str) -> None:
    """Remember whether a document named its namespace: it is answered as it was put."""
    xmlns = NAMESPACE if b"xmlns" in call.text() else ""
    call.store.configure(call.bucket, f"{part}-xmlns", xmlns)


def _malformed(reason: str) -> S3Problem:
    return S3Problem.of("MalformedXML", reason)
