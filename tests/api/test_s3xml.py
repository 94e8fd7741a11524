"""The XML of S3: recorded documents, and documents that are not what was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcpy.api import s3listing, s3xml
from mcpy.errors import ProtocolError, UnsupportedError
from mcpy.models import BucketEncryption
from tests.recordings import minio

if TYPE_CHECKING:
    from collections.abc import Callable


def test_a_listing_with_metadata_tells_how_each_object_is_encrypted() -> None:
    page = s3listing.objects_page(minio("list-v2-metadata").content, "here")
    found = {e.key: e.encryption for e in page.entries}
    schemes = {key: encryption.scheme if encryption else None for key, encryption in found.items()}
    assert schemes["sse-s3"] == "SSE-S3"
    assert schemes["kms-a"] == "SSE-KMS"
    assert schemes["sse-c"] == "SSE-C"
    assert schemes["plain"] == ""
    context = found["kms-b-ctx"]
    assert context is not None
    assert context.context


def test_a_listing_without_metadata_does_not_say() -> None:
    page = s3listing.objects_page(minio("list-v2-plain").content, "here")
    assert {entry.encryption for entry in page.entries} == {None}


def test_names_are_decoded() -> None:
    page = s3listing.objects_page(minio("list-metadata-odd-keys-url").content, "here")
    assert any(ord(character) < 32 for entry in page.entries for character in entry.key)


def test_a_page_tells_where_the_next_begins() -> None:
    body = (
        b"<ListBucketResult><IsTruncated>true</IsTruncated>"
        b"<NextContinuationToken>t/1=</NextContinuationToken></ListBucketResult>"
    )
    assert s3listing.objects_page(body, "here").markers == {"continuation-token": "t/1="}


def test_a_page_that_is_no_xml_is_an_error() -> None:
    """Names with control characters break a listing unless they are asked for encoded."""
    with pytest.raises(ProtocolError, match="something other than XML"):
        s3listing.objects_page(minio("list-metadata-page1").content, "here")


def test_versions_and_delete_markers_are_told_apart() -> None:
    page = s3listing.versions_page(minio("dm-list").content, "here")
    assert {entry.is_delete_marker for entry in page.entries} == {True, False}
    assert all(entry.version_id for entry in page.entries)


def test_a_page_of_versions_tells_where_the_next_begins() -> None:
    body = (
        b"<ListVersionsResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>"
        b"<NextKeyMarker>a+b</NextKeyMarker>"
        b"<NextVersionIdMarker>v1</NextVersionIdMarker></ListVersionsResult>"
    )
    page = s3listing.versions_page(body, "here")
    assert page.markers == {"key-marker": "a b", "version-id-marker": "v1"}


@pytest.mark.parametrize(
    ("recording", "algorithm", "key"),
    [
        ("be-get-after-sse-s3", "AES256", ""),
        ("be-get-after-sse-kms", "aws:kms", "tenant-a"),
        ("be-get-after-sse-kms-arn", "aws:kms", "tenant-a"),
        ("be-get-after-empty-rule", "", ""),
    ],
)
def test_a_bucket_s_default_is_read(recording: str, algorithm: str, key: str) -> None:
    found = s3xml.bucket_encryption(minio(recording).content, "here")
    assert (found.algorithm, found.key) == (algorithm, key)
    assert found.document == minio(recording).content


def test_a_configuration_without_a_rule_encrypts_nothing() -> None:
    body = b"<ServerSideEncryptionConfiguration/>"
    assert s3xml.bucket_encryption(body, "here").algorithm == ""


@pytest.mark.parametrize("body", [b"", b"x", b"<ListBucketResult/>", b"<Error/>"])
def test_another_document_is_no_configuration(body: bytes) -> None:
    with pytest.raises(UnsupportedError, match="bucket encryption is unknown to here"):
        s3xml.bucket_encryption(body, "here")


def test_a_new_configuration_is_what_was_recorded() -> None:
    made = s3xml.encryption_document(BucketEncryption("aws:kms", "tenant-a"), None)
    assert made == minio("be-get-after-sse-kms").content


def test_a_changed_configuration_keeps_what_it_does_not_know() -> None:
    stored = (
        b"<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>"
        b"<SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>k</KMSMasterKeyID>"
        b"</ApplyServerSideEncryptionByDefault><BucketKeyEnabled>true</BucketKeyEnabled>"
        b"</Rule></ServerSideEncryptionConfiguration>"
    )
    current = s3xml.bucket_encryption(stored, "here")
    made = s3xml.encryption_document(BucketEncryption("AES256"), current)
    assert b"<BucketKeyEnabled>true</BucketKeyEnabled>" in made
    assert b"KMSMasterKeyID" not in made
    assert made.count(b"SSEAlgorithm") == 2


@pytest.mark.parametrize("body", [b"", b"<ListBucketResult>", b"{}", b"<html/>"])
def test_another_document_is_no_listing(body: bytes) -> None:
    with pytest.raises(ProtocolError, match="here answered"):
        s3listing.objects_page(body, "here")


@pytest.mark.parametrize(
    ("root", "read"),
    [
        ("ListBucketResult", s3listing.objects_page),
        ("ListVersionsResult", s3listing.versions_page),
        ("ListMultipartUploadsResult", s3listing.uploads_page),
    ],
)
def test_a_page_that_is_not_the_last_says_where_the_next_begins(
    root: str, read: Callable[[bytes, str], s3listing.Page]
) -> None:
    # as one answers that knows only the first version of listings
    more = "<IsTruncated>true</IsTruncated><Marker/><NextMarker>k</NextMarker>"
    with pytest.raises(ProtocolError, match="of here is truncated and does not say where"):
        read(f"<{root}>{more}</{root}>".encode(), "here")


@pytest.mark.parametrize(("encoding", "key"), [("url", "a bA"), ("", "a+b%41")])
def test_names_are_decoded_where_the_server_says_it_encoded_them(encoding: str, key: str) -> None:
    named = f"<EncodingType>{encoding}</EncodingType>"
    entry = "<Key>a+b%41</Key><VersionId>v</VersionId><UploadId>v</UploadId>"
    more = (
        "<CommonPrefixes><Prefix>a+b%41</Prefix></CommonPrefixes><IsTruncated>true</IsTruncated>"
        "<NextKeyMarker>a+b%41</NextKeyMarker>"
    )
    versions = f"<ListVersionsResult>{named}<Version>{entry}</Version>{more}</ListVersionsResult>"
    page = s3listing.versions_page(versions.encode(), "here")
    assert [found.key for found in page.entries] == [key, key]
    assert page.markers == {"key-marker": key}
    uploads = versions.replace("ListVersions", "ListMultipartUploads").replace(
        "Version>", "Upload>"
    )
    page = s3listing.uploads_page(uploads.encode(), "here")
    assert [found.key for found in page.entries] == [key, key]
    assert page.markers == {"key-marker": key}


@pytest.mark.parametrize("size", ["9" * 5_000, "²", "-1", "1_0", ""])
def test_a_size_that_is_none_is_nothing(size: str) -> None:
    body = f"<ListBucketResult><Contents><Key>k</Key><Size>{size}</Size></Contents>"
    page = s3listing.objects_page(f"{body}</ListBucketResult>".encode(), "here")
    assert [(e.key, e.size) for e in page.entries] == [("k", 0)]
