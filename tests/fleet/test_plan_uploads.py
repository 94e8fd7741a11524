"""A policy that refuses uploads: its statements, beside what a policy held before."""

from __future__ import annotations

import json

import pytest

from mcpy.errors import ProtocolError
from mcpy.fleet.plan.uploads import ALTERED, merged, mode_of, normal, same_meaning, statements
from mcpy.models import BucketEncryption

S3 = BucketEncryption("AES256")
KMS = BucketEncryption("aws:kms", "finance")
SSE = "s3:x-amz-server-side-encryption"
OTHER = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:x/*"}


def test_same_or_default_refuses_only_what_asks_for_something_else() -> None:
    made = statements("b", S3, "same-or-default")
    assert [s["Condition"] for s in made] == [
        {"StringNotEquals": {SSE: ["AES256"]}, "Null": {SSE: ["false"]}},
        {"Null": {f"{SSE}-customer-algorithm": ["false"]}},
    ]
    assert {s["Effect"] for s in made} == {"Deny"}
    assert made[0]["Resource"] == ["arn:aws:s3:::b/*"]


def test_same_refuses_uploads_that_name_none_too() -> None:
    assert {"Null": {SSE: ["true"]}} in [s["Condition"] for s in statements("b", S3, "same")]


def test_a_key_may_be_spelled_as_a_name_or_an_arn_and_has_to_be_named() -> None:
    made = {s["Sid"]: s["Condition"] for s in statements("b", KMS, "same-or-default")}
    assert made["McpyUploadsOtherKey"]["StringNotEquals"] == {
        f"{SSE}-aws-kms-key-id": ["finance", "arn:aws:kms:finance"]
    }
    assert made["McpyUploadsNoKey"] == {
        "StringEquals": {SSE: ["aws:kms"]},
        "Null": {f"{SSE}-aws-kms-key-id": ["true"]},
    }


def test_merging_keeps_everything_else_and_takes_nothing_twice() -> None:
    before = json.dumps({"Version": "2008-10-17", "Id": "x", "Statement": [OTHER]})
    once = merged(before, statements("b", S3, "same"))
    twice = merged(once, statements("b", KMS, "same-or-default"))
    found = json.loads(twice)
    assert (found["Version"], found["Id"], found["Statement"][0]) == ("2008-10-17", "x", OTHER)
    assert len(found["Statement"]) == 1 + len(statements("b", KMS, "same-or-default"))
    assert json.loads(merged(twice, [])) == json.loads(before)


def test_a_policy_that_held_nothing_else_is_removed() -> None:
    assert merged("", []) == ""
    assert merged(merged("", statements("b", S3, "same")), []) == ""


def test_a_single_statement_without_a_list_is_kept() -> None:
    found = json.loads(merged(json.dumps({"Statement": OTHER}), statements("b", S3, "same")))
    assert found["Statement"][0] == OTHER


@pytest.mark.parametrize("policy", ["nonsense", "[]", '{"Statement": ["x"]}'])
def test_a_policy_that_cannot_be_read_is_left_alone(policy: str) -> None:
    with pytest.raises(ProtocolError, match="left alone"):
        merged(policy, [])


def test_the_mode_is_known_however_the_server_spells_the_policy() -> None:
    for mode in ("any", "same-or-default", "same"):
        document = json.loads(
            merged(json.dumps({"Statement": [OTHER]}), statements("b", KMS, mode))
        )
        for statement in document["Statement"]:
            statement["Principal"] = {"AWS": ["*"]}
            for names in statement.get("Condition", {}).values():
                for name, values in names.items():
                    names[name] = [v == "true" if v in {"true", "false"} else v for v in values]
        document["Statement"].reverse()
        assert mode_of(json.dumps(document), "b", KMS) == mode
        assert mode_of(json.dumps(document), "b", S3) == ("any" if mode == "any" else ALTERED)


def test_policies_are_compared_by_meaning() -> None:
    one = json.dumps({"Version": "1", "Statement": [OTHER, {**OTHER, "Action": ["a", "b"]}]})
    other = json.dumps(
        {
            "Statement": [
                {**OTHER, "Action": ["b", "a"], "Principal": {"AWS": "*"}, "Sid": ""},
                {**OTHER, "Resource": ["arn:x/*"]},
            ],
            "Version": "1",
        }
    )
    assert same_meaning(one, other)
    assert not same_meaning(one, json.dumps({"Version": "1", "Statement": [OTHER]}))
    assert normal("") == ""
    assert not same_meaning("", other)


@pytest.mark.parametrize("depth", [40, 500, 20_000])
def test_a_policy_nested_without_end_is_left_alone(depth: int) -> None:
    policy = '{"Statement": ' + "[" * depth + "]" * depth + "}"
    with pytest.raises(ProtocolError, match="it is left alone"):
        merged(policy, [])
    with pytest.raises(ProtocolError, match="it is left alone"):
        same_meaning(policy, "")
