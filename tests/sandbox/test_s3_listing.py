"""Listings and versions of the S3 server: order, pages, prefixes, markers, metadata."""

from __future__ import annotations

import gzip
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote_plus

import pytest

from mcpy.sandbox.like import personality
from tests.s3_calls import S3, Answer, Server, client_key, kms_with

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEYS = ["a", "b/", "b/x", "foo", "foo-1", "foo.txt", "fooo/bar", "fooo/baz", "z", "ü"]


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "data")
    server("PUT", "/bkt")
    yield server
    server.close()


@pytest.fixture
def full(s3: Server) -> Server:
    for key in reversed(KEYS):
        s3("PUT", f"/bkt/{key}", body=key)
    return s3


def prefixes(answer: Answer) -> list[str]:
    return re.findall("<CommonPrefixes><Prefix>([^<]*)", answer.text)


@pytest.mark.parametrize("query", ["", "list-type=2", "versions="])
def test_names_come_in_the_order_of_their_bytes(full: Server, query: str) -> None:
    assert full("GET", "/bkt", query).all("Key") == KEYS


@pytest.mark.parametrize(
    ("query", "keys", "common"),
    [
        ("prefix=foo", ["foo", "foo-1", "foo.txt", "fooo/bar", "fooo/baz"], []),
        ("prefix=foo&delimiter=/", ["foo", "foo-1", "foo.txt"], ["fooo/"]),
        ("delimiter=/", ["a", "foo", "foo-1", "foo.txt", "z", "ü"], ["b/", "fooo/"]),
        ("prefix=b/&delimiter=/", ["b/", "b/x"], []),
        ("delimiter=o", ["a", "b/", "b/x", "z", "ü"], ["fo"]),
        ("prefix=nope", [], []),
        ("max-keys=0", [], []),
    ],
)
@pytest.mark.parametrize("form", ["", "list-type=2&", "versions=&"])
def test_prefix_and_delimiter(
    full: Server, form: str, query: str, keys: list[str], common: list[str]
) -> None:
    answer = full("GET", "/bkt", form + query)
    assert answer.all("Key") == keys
    assert prefixes(answer) == common


@pytest.mark.parametrize("size", [1, 2, 3, 100])
@pytest.mark.parametrize("delimiter", ["", "/"])
def test_pages_of_version_two_hold_everything_once(
    full: Server, size: int, delimiter: str
) -> None:
    found, token = [], ""
    while True:
        query = f"list-type=2&max-keys={size}&delimiter={delimiter}"
        if token:
            query += f"&continuation-token={quote(token, safe='')}"
        page = full("GET", "/bkt", query)
        found += page.all("Key") + prefixes(page)
        assert page.all("KeyCount") == [str(len(page.all("Key") + prefixes(page)))]
        if page.all("IsTruncated") == ["false"]:
            break
        (token,) = page.all("NextContinuationToken")
    whole = full("GET", "/bkt", f"delimiter={delimiter}")
    assert sorted(found) == sorted(whole.all("Key") + prefixes(whole))
    assert len(found) == len(set(found))


@pytest.mark.parametrize("size", [1, 2, 3])
def test_pages_of_version_one_go_on_behind_the_marker(full: Server, size: int) -> None:
    found, marker = [], ""
    while True:
        query = f"max-keys={size}&delimiter=/&marker={quote(marker, safe='')}"
        page = full("GET", "/bkt", query)
        found += page.all("Key") + prefixes(page)
        if page.all("IsTruncated") == ["false"]:
            break
        (marker,) = page.all("NextMarker")
    assert sorted(found) == ["a", "b/", "foo", "foo-1", "foo.txt", "fooo/", "z", "ü"]


def test_start_after_skips_and_the_token_goes_before_it(full: Server) -> None:
    assert full("GET", "/bkt", "list-type=2&start-after=foo.txt").all("Key") == KEYS[6:]
    first = full("GET", "/bkt", "list-type=2&start-after=foo&max-keys=1")
    token = quote(first.all("NextContinuationToken")[0], safe="")
    query = f"list-type=2&start-after=foo&continuation-token={token}"
    assert full("GET", "/bkt", query).all("Key") == KEYS[5:]


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("max-keys=-1", 400, "InvalidArgument"),
        ("max-keys=x", 400, "InvalidArgument"),
        ("encoding-type=foo", 400, "InvalidArgument"),
        ("list-type=2&continuation-token=!!", 400, "InvalidArgument"),
        ("list-type=2&continuation-token=", 400, "InvalidArgument"),
        ("marker=z&prefix=foo", 501, "NotImplemented"),
        ("versions=&version-id-marker=null", 501, "NotImplemented"),
        ("prefix=../", 400, "XMinioInvalidResourceName"),
    ],
)
def test_bad_queries_are_refused(full: Server, query: str, status: int, code: str) -> None:
    answer = full("GET", "/bkt", query)
    assert (answer.status, answer.code) == (status, code)


def test_a_page_holds_a_thousand_at_most(s3: Server) -> None:
    for number in range(1001):
        s3("PUT", f"/bkt/{number:04}", body="")
    page = s3("GET", "/bkt", "list-type=2&max-keys=5000")
    assert len(page.all("Key")) == 1000
    assert page.all("MaxKeys") == ["5000"]
    assert page.all("IsTruncated") == ["true"]


def test_the_owner_is_shown_on_request_only(full: Server) -> None:
    assert "<Owner>" not in full("GET", "/bkt", "list-type=2").text
    assert "<Owner>" in full("GET", "/bkt", "list-type=2&fetch-owner=true").text
    assert "<Owner>" in full("GET", "/bkt").text


def test_names_can_be_asked_for_in_url_encoding(s3: Server) -> None:
    for key in ("a&b<c>", "%01x", "sp ace+plus%25"):
        s3("PUT", f"/bkt/{key}", body="x")
    encoded = s3("GET", "/bkt", "encoding-type=url").all("Key")
    assert encoded == ["%01x", "a%26b%3Cc%3E", "sp+ace%2Bplus%25"]
    assert [unquote_plus(key) for key in encoded] == ["\x01x", "a&b<c>", "sp ace+plus%"]
    assert s3("GET", "/bkt").all("Key")[0] == "&#x1;x"


# metadata


def test_metadata_shows_how_each_object_is_encrypted(s3: Server) -> None:
    s3("PUT", "/bkt/c", headers=client_key(), body="x")
    s3("PUT", "/bkt/kms", headers=kms_with("tenant-a", '{"a":"1"}'), body="x")
    s3("PUT", "/bkt/plain", headers={"x-amz-meta-foo": "bar"}, body="x")
    s3("PUT", "/bkt/s3", headers=S3, body="x")
    for query in ("list-type=2&metadata=true", "versions=&metadata=true"):
        answer = s3("GET", "/bkt", query)
        name = "X-Amz-Server-Side-Encryption"
        assert answer.all(name) == ["aws:kms", "AES256"]
        assert answer.all(f"{name}-Aws-Kms-Key-Id") == ["arn:aws:kms:tenant-a"]
        assert answer.all(f"{name}-Context") == ["eyJhIjoiMSJ9"]
        assert answer.all(f"{name}-Customer-Algorithm") == ["AES256"]
        assert answer.all("X-Amz-Meta-Foo") == ["bar"]
        assert answer.all("content-type") == ["binary/octet-stream"] * 4
        assert "X-Minio-Internal" not in answer.text
    assert "UserMetadata" not in s3("GET", "/bkt", "metadata=true").text


def test_metadata_names_go_in_raw_and_can_break_the_page(s3: Server) -> None:
    s3("PUT", "/bkt/k", headers={"x-amz-meta-a!b": "1"}, body="x")
    answer = s3("GET", "/bkt", "list-type=2&metadata=true")
    assert "<X-Amz-Meta-A!b>1</X-Amz-Meta-A!b>" in answer.text


# versions


@pytest.fixture
def versioned(s3: Server) -> Server:
    s3.enable_versioning("/bkt")
    return s3


def version_id(answer: Answer) -> str:
    return answer.headers["x-amz-version-id"]


def test_every_put_makes_a_version(versioned: Server) -> None:
    ids = [version_id(versioned("PUT", "/bkt/k", body=str(n))) for n in range(3)]
    listed = versioned("GET", "/bkt", "versions=")
    assert listed.all("VersionId") == ids[::-1]
    assert listed.all("IsLatest") == ["true", "false", "false"]
    assert versioned("GET", "/bkt/k").body == b"2"
    assert versioned("GET", "/bkt/k", f"versionId={ids[0]}").body == b"0"


def test_deleting_hides_and_deleting_the_marker_shows_again(versioned: Server) -> None:
    version = version_id(versioned("PUT", "/bkt/k", body="x"))
    deleted = versioned("DELETE", "/bkt/k")
    assert deleted.headers["x-amz-delete-marker"] == "true"
    gone = versioned("GET", "/bkt/k")
    assert (gone.code, version_id(gone)) == ("NoSuchKey", version_id(deleted))
    marker = versioned("GET", "/bkt/k", f"versionId={version_id(deleted)}")
    assert (marker.status, marker.code) == (405, "MethodNotAllowed")
    assert versioned("GET", "/bkt/k", f"versionId={version}").body == b"x"
    assert versioned("GET", "/bkt", "list-type=2").all("Key") == []
    assert versioned("GET", "/bkt", "delimiter=/").all("Key") == []
    versioned("DELETE", "/bkt/k", f"versionId={version_id(deleted)}")
    assert versioned("GET", "/bkt/k").body == b"x"


def test_a_version_can_be_deleted_for_good(versioned: Server) -> None:
    first = version_id(versioned("PUT", "/bkt/k", body="1"))
    second = version_id(versioned("PUT", "/bkt/k", body="2"))
    assert versioned("DELETE", "/bkt/k", f"versionId={second}").status == 204
    assert versioned("GET", "/bkt", "versions=").all("VersionId") == [first]
    assert versioned("GET", "/bkt/k", f"versionId={second}").code == "NoSuchVersion"


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_pages_of_versions_hold_everything_once(versioned: Server, size: int) -> None:
    for key in ("a", "b", "b", "b", "b", "c"):
        versioned("PUT", f"/bkt/{key}", body="x")
    versioned("DELETE", "/bkt/b")
    whole = versioned("GET", "/bkt", "versions=").all("VersionId")
    found: list[str] = []
    query = f"versions=&max-keys={size}"
    while True:
        page = versioned("GET", "/bkt", query)
        found += page.all("VersionId")
        if page.all("IsTruncated") == ["false"]:
            break
        key, version = page.all("NextKeyMarker")[0], page.all("NextVersionIdMarker")[0]
        query = f"versions=&max-keys={size}&key-marker={key}&version-id-marker={version}"
    assert found == whole
    assert len(whole) == 7


def test_a_suspended_bucket_keeps_versions_and_writes_the_null_one(versioned: Server) -> None:
    old = version_id(versioned("PUT", "/bkt/k", body="1"))
    versioned.enable_versioning("/bkt", "Suspended")
    assert "x-amz-version-id" not in versioned("PUT", "/bkt/k", body="2").headers
    versioned("PUT", "/bkt/k", body="3")
    assert versioned("GET", "/bkt", "versions=").all("VersionId") == ["null", old]
    assert versioned("DELETE", "/bkt/k").status == 204
    assert versioned("GET", "/bkt", "versions=").all("VersionId") == ["null", old]
    assert versioned("GET", "/bkt/k").code == "NoSuchKey"


def test_names_that_end_in_a_slash_have_the_null_version_only(versioned: Server) -> None:
    versioned("PUT", "/bkt/dir/", body="")
    versioned("PUT", "/bkt/dir/", body="")
    assert versioned("GET", "/bkt", "versions=").all("VersionId") == ["null"]


def test_a_bucket_full_of_versions_cannot_be_deleted(versioned: Server) -> None:
    versioned("PUT", "/bkt/k", body="x")
    versioned("DELETE", "/bkt/k")
    answer = versioned("DELETE", "/bkt")
    assert answer.message.endswith("You must delete all versions in the bucket.")


def test_versioning_cannot_be_anything_else(s3: Server) -> None:
    assert s3("GET", "/bkt", "versioning=").all("Status") == []
    assert s3.enable_versioning("/bkt", "Foo").code == "IllegalVersioningConfigurationException"
    unversioned = s3("PUT", "/bkt/k", "versionId=11111111-1111-4111-8111-111111111111", body="x")
    assert "versioning not enabled on bucket=bkt" in unversioned.message
    assert s3("GET", "/bkt/k", "versionId=foo").message == "Invalid version id specified"


def test_a_version_can_be_written_over_in_place(versioned: Server) -> None:
    first = version_id(versioned("PUT", "/bkt/k", body="1"))
    second = version_id(versioned("PUT", "/bkt/k", body="2"))
    versioned("PUT", "/bkt/k", f"versionId={first}", body="new")
    assert versioned("GET", "/bkt", "versions=").all("VersionId") == [first, second]
    assert versioned("GET", "/bkt/k").body == b"new"


# below objects: measured on a real MinIO, which walks folders and looks no further at an object

BESIDE = ["f", "f/", "f/x", "g/", "g/h", "h", "h-1", "h/i/j", "h/i/k", "h/i/l/m", "q/r", "q/r/s"]


@pytest.fixture
def beside(s3: Server) -> Server:
    for key in [*BESIDE, "q/t"]:
        s3("PUT", f"/bkt/{key}", body=key)
    return s3


@pytest.mark.parametrize(
    ("query", "keys", "common"),
    [
        ("", ["f", "f/", "g/", "g/h", "h", "h-1", "q/r", "q/t"], []),
        ("max-keys=4&marker=f", ["f/", "g/", "g/h", "h"], []),
        ("delimiter=/", ["f", "h", "h-1"], ["f/", "g/", "q/"]),
        ("prefix=f/", ["f/"], []),
        ("prefix=f/x", [], []),
        ("prefix=h", ["h", "h-1"], []),
        ("prefix=h/", [], []),
        ("prefix=h/&delimiter=/", [], []),
        ("prefix=h/i", [], []),
        # it begins in the folder that the prefix names, below the object
        ("prefix=h/i/", ["h/i/j", "h/i/k", "h/i/l/m"], []),
        ("prefix=h/i/&delimiter=/", ["h/i/j", "h/i/k"], ["h/i/l/"]),
        ("prefix=h/i/j", ["h/i/j"], []),
        ("prefix=q/&delimiter=/", ["q/r", "q/t"], []),
        ("prefix=q/r/", [], []),
        ("marker=h/i/a", ["q/r", "q/t"], []),
        ("marker=q/r/a", ["q/t"], []),
    ],
)
def test_what_lies_below_an_object_is_not_listed(
    beside: Server, query: str, keys: list[str], common: list[str]
) -> None:
    answer = beside("GET", "/bkt", query)
    assert answer.all("Key") == keys
    assert prefixes(answer) == common
    if "marker" not in query:
        versions = beside("GET", "/bkt", f"versions&{query}")
        assert (versions.all("Key"), prefixes(versions)) == (keys, common)


def test_what_is_not_listed_is_there(beside: Server) -> None:
    assert beside("GET", "/bkt/h/i/j").text == "h/i/j"
    assert beside("DELETE", "/bkt/h").status == 204
    assert beside("GET", "/bkt", "prefix=h").all("Key") == ["h-1", "h/i/j", "h/i/k", "h/i/l/m"]


def test_an_object_hides_what_lies_below_it_after_it_got_a_delete_marker(s3: Server) -> None:
    enabled = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
    s3("PUT", "/bkt", "versioning", body=enabled)
    for key in ("a", "a/b", "c/d/", "c/d/e"):
        s3("PUT", f"/bkt/{key}")
    s3("DELETE", "/bkt/a")
    assert s3("GET", "/bkt").all("Key") == ["c/d/", "c/d/e"]
    assert s3("GET", "/bkt", "versions").all("Key") == ["a", "a", "c/d/", "c/d/e"]


def test_a_common_prefix_of_nothing_but_what_is_hidden_is_none(s3: Server) -> None:
    enabled = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
    s3("PUT", "/bkt", "versioning", body=enabled)
    for key in ("x/m", "x/m/n"):
        s3("PUT", f"/bkt/{key}")
    s3("DELETE", "/bkt/x/m")
    assert prefixes(s3("GET", "/bkt", "delimiter=/")) == []
    assert prefixes(s3("GET", "/bkt", "versions&delimiter=/")) == ["x/"]


def test_another_server_lists_what_lies_below_an_object(tmp_path: Path) -> None:
    server = Server(tmp_path / "other", like=personality("aws"))
    server("PUT", "/bkt")
    for key in ("a", "a/b"):
        server("PUT", f"/bkt/{key}")
    assert server("GET", "/bkt").all("Key") == ["a", "a/b"]
    server.close()


# bytes that are not UTF-8, as a real MinIO answers them


def test_a_prefix_that_is_not_utf8_is_refused(full: Server) -> None:
    for query in ("prefix=%FF", "list-type=2&prefix=a%C3%28", "versions&prefix=%ED%A0%80"):
        answer = full("GET", "/bkt", query)
        assert (answer.status, answer.code) == (400, "XMinioInvalidObjectName")
    assert full("GET", "/bkt", "uploads&prefix=%FF").code == "XMinioInvalidObjectName"


def test_other_parameters_that_are_not_utf8_are_read_byte_by_byte(full: Server) -> None:
    assert full("GET", "/bkt", "delimiter=%ED%A0%80").text.count("<Delimiter>\ufffd\ufffd\ufffd<")
    assert full("GET", "/bkt", "marker=%FF").all("Key") == []
    assert full("GET", "/bkt/a", "uploadId=%FF").code == "NoSuchUpload"


# packed answers


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("zstd, gzip", True),
        ("gzip;q=0.5, identity", True),
        ("gzip;q=0", False),
        ("x-gzip", False),
        ("*", False),
        ("identity", False),
    ],
)
def test_a_long_listing_is_packed_for_who_takes_it(
    full: Server, accepted: str, packed: bool
) -> None:
    answer = full("GET", "/bkt", headers={"accept-encoding": accepted})
    assert (answer.headers.get("content-encoding") == "gzip") is packed
    body = gzip.decompress(answer.body) if packed else answer.body
    assert re.findall(b"<Key>([^<]*)", body) == [key.encode() for key in KEYS]


def test_short_answers_and_objects_are_never_packed(full: Server) -> None:
    takes = {"accept-encoding": "gzip"}
    full("PUT", "/bkt/page.xml", headers={"content-type": "application/xml"}, body="<a/>" * 999)
    assert not full("GET", "/bkt", "max-keys=1", headers=takes).headers.get("content-encoding")
    assert full("GET", "/bkt/page.xml", headers=takes).text == "<a/>" * 999
