"""Lifecycle rules: given back with what they lack, refused where the real server refuses them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.s3_calls import Server, md5_header

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.s3_calls import Answer

DAY = "<Expiration><Days>1</Days></Expiration>"
ON = "<Status>Enabled</Status>"


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "data")
    server("PUT", "/bkt")
    server("PUT", "/locked", headers={"x-amz-bucket-object-lock-enabled": "true"})
    yield server
    server.close()


def put(
    s3: Server, *rules: str, bucket: str = "/bkt", root: str = "LifecycleConfiguration"
) -> Answer:
    inner = "".join(f"<Rule>{rule}</Rule>" for rule in rules)
    body = f"<{root}>{inner}</{root}>".encode()
    return s3("PUT", bucket, "lifecycle=", md5_header(body), body)


def test_rules_come_back_with_a_name_each(s3: Server) -> None:
    filtered = (
        "<Filter><And><Prefix>a</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></And></Filter>"
    )
    date = "<Expiration><Date>2030-01-01T00:00:00Z</Date></Expiration>"
    assert put(s3, f"<ID>mine</ID>{ON}{filtered}{DAY}", f"{ON}<Filter/>{date}").status == 200
    answer = s3("GET", "/bkt", "lifecycle=")
    assert answer.all("ID")[0] == "mine"
    assert len(answer.all("ID")[1]) == 36
    assert answer.all("Key") == ["k"]
    assert answer.all("Prefix") == ["a", ""]
    assert answer.all("Date") == ["2030-01-01T00:00:00Z"]
    assert s3("DELETE", "/bkt", "lifecycle=").status == 204
    assert s3("GET", "/bkt", "lifecycle=").code == "NoSuchLifecycleConfiguration"


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (f"<ID>{'x' * 256}</ID>{ON}{DAY}", "ID length is limited to 255 characters"),
        (DAY, "Status should not be empty"),
        (f"<Status>enabled</Status>{DAY}", "Status must be set to either Enabled or Disabled"),
        (ON, "The XML you provided was not well-formed"),
        (f"{ON}<Expiration><Days>0</Days></Expiration>", "Days must be positive integer"),
        (f"{ON}<Expiration><Date>soon</Date></Expiration>", "Date must be provided in ISO 8601"),
        (
            f"{ON}<Expiration><Date>2030-01-01T01:00:00Z</Date></Expiration>",
            "'Date' must be at midnight GMT",
        ),
        (f"{ON}<Expiration></Expiration>", "The XML you provided was not well-formed"),
        (
            f"{ON}<Expiration><Days>1</Days><Date>2030-01-01T00:00:00Z</Date></Expiration>",
            "Exactly one of Days",
        ),
        (
            f"{ON}<Expiration><Days>1</Days><ExpiredObjectDeleteMarker>true"
            "</ExpiredObjectDeleteMarker></Expiration>",
            "Delete marker cannot be specified",
        ),
        (
            f"{ON}<Expiration><ExpiredObjectAllVersions>true</ExpiredObjectAllVersions>"
            "</Expiration>",
            "Days (positive integer) should be present",
        ),
        (f"{ON}<NoncurrentVersionExpiration/>", "The XML you provided was not well-formed"),
        (f"{ON}<DelMarkerExpiration><Days>0</Days></DelMarkerExpiration>", "Days must be a pos"),
        (f"{ON}<Transition><Days>-1</Days></Transition>", "Days must be 0 or greater"),
        (f"{ON}<Transition><Days>1</Days></Transition>", "The XML you provided"),
        (f"{ON}<Filter><Size/></Filter>{DAY}", "unknown XML Tag"),
        (f"{ON}<Prefix/><Filter><Prefix/></Filter>{DAY}", "The XML you provided"),
        (f"{ON}<Filter><And><Prefix/></And></Filter>{DAY}", "The XML you provided"),
        (f"{ON}<Filter><Prefix/><Tag><Key>k</Key></Tag></Filter>{DAY}", "Filter must have"),
        (f"{ON}<Filter><Tag><Key></Key></Tag></Filter>{DAY}", "The TagKey you have provided"),
        (
            f"{ON}<Filter><And><Tag><Key>k</Key></Tag><Tag><Key>k</Key></Tag></And></Filter>{DAY}",
            "Duplicate Tag Keys",
        ),
    ],
)
def test_a_rule_is_refused(s3: Server, rule: str, message: str) -> None:
    answer = put(s3, rule)
    assert (answer.status, answer.code) == (400, "InvalidArgument")
    assert answer.message.replace("&#39;", "'").startswith(message)
    assert s3("GET", "/bkt", "lifecycle=").status == 404


def test_rules_need_names_of_their_own_and_known_tiers(s3: Server) -> None:
    assert put(s3).message == "Lifecycle configuration should have at least one rule"
    assert put(s3, *[f"<ID>a</ID>{ON}{DAY}"] * 2).message.startswith("Rule ID must be unique")
    assert "a maximum of 1000 rules" in put(s3, *[ON + DAY] * 1001).message
    tier = "<Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition>"
    assert put(s3, ON + tier).code == "InvalidStorageClass"
    marked = "<DelMarkerExpiration><Days>1</Days></DelMarkerExpiration>"
    assert "object locked bucket" in put(s3, ON + marked, bucket="/locked").message
    assert put(s3, ON + marked).status == 200
    assert put(s3, ON + DAY, root="Other").status == 500
    assert put(s3, f"{ON}<Expiration><Days>x</Days></Expiration>").status == 500


def test_rules_come_with_a_digest(s3: Server) -> None:
    body = f"<LifecycleConfiguration><Rule>{ON}{DAY}</Rule></LifecycleConfiguration>"
    assert s3("PUT", "/bkt", "lifecycle=", body=body).code == "MissingContentMD5"
