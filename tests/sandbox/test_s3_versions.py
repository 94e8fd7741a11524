"""Versioning, and the names that are left out of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.s3_calls import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.s3_calls import Answer

SKIP = "<ExcludedPrefixes><Prefix>tmp/</Prefix></ExcludedPrefixes>"


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "data")
    server("PUT", "/bkt")
    yield server
    server.close()


def configure(s3: Server, status: str, more: str = "", bucket: str = "/bkt") -> Answer:
    inner = f"<Status>{status}</Status>{more}"
    body = f"<VersioningConfiguration>{inner}</VersioningConfiguration>"
    return s3("PUT", bucket, "versioning=", body=body)


def test_excluded_names_have_no_versions(s3: Server) -> None:
    assert configure(s3, "Enabled", f"{SKIP}<ExcludeFolders>true</ExcludeFolders>").status == 200
    shown = s3("GET", "/bkt", "versioning=")
    assert (shown.all("Prefix"), shown.all("ExcludeFolders")) == (["tmp/"], ["true"])
    for key in ("kept", "tmp/a", "a[1]/tmp/b", "folder/"):
        versioned = "x-amz-version-id" in s3("PUT", f"/bkt/{key}").headers
        assert versioned == (key in {"kept", "a[1]/tmp/b"})
    assert "x-amz-delete-marker" not in s3("DELETE", "/bkt/folder/").headers
    assert configure(s3, "Enabled").status == 200
    assert s3("GET", "/bkt", "versioning=").all("Prefix") == []
    assert "x-amz-version-id" in s3("PUT", "/bkt/tmp/a").headers


def test_names_are_excluded_from_enabled_versioning_only(s3: Server) -> None:
    code = "IllegalVersioningConfigurationException"
    assert configure(s3, "Suspended", SKIP).code == code
    assert configure(s3, "Enabled", SKIP * 11).code == code
    assert configure(s3, "On").code == code
    s3("PUT", "/locked", headers={"x-amz-bucket-object-lock-enabled": "true"})
    assert configure(s3, "Enabled", SKIP, "/locked").code == "InvalidBucketState"
    assert configure(s3, "Suspended", bucket="/locked").code == "InvalidBucketState"
    assert configure(s3, "Enabled", bucket="/locked").status == 200
