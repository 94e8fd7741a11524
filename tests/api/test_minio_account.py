"""Whether a policy lets its holder list every bucket: only what is plain counts."""

from __future__ import annotations

import pytest

from mcpy.api.minio_account import ACTION, lists_all

ALL = {"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::*"]}


def policy(*statements: object) -> dict[str, object]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


@pytest.mark.parametrize(
    "statement",
    [
        ALL,
        ALL | {"Action": ACTION, "Resource": "*"},
        ALL | {"Action": ["s3:GetObject", "*"], "Resource": ["**"]},
    ],
)
def test_a_plain_grant_on_everything_lists_all(statement: dict[str, object]) -> None:
    assert lists_all(policy({"Effect": "Allow", "Action": ["admin:*"]}, statement))
    assert lists_all(policy(statement, {"Effect": "Deny", "Action": ["s3:DeleteBucket"]}))


@pytest.mark.parametrize(
    "statement",
    [
        ALL | {"Resource": ["arn:aws:s3:::b1", "arn:aws:s3:::b1/*"]},
        ALL | {"Action": ["s3:ListBucket"]},
        ALL | {"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}},
        ALL | {"NotResource": ["arn:aws:s3:::b1"]},
        {"Effect": "Allow", "NotAction": ["s3:DeleteBucket"], "Resource": ["*"]},
        {"Effect": "Allow", "Action": ["s3:*"]},
    ],
)
def test_a_grant_of_less_does_not(statement: dict[str, object]) -> None:
    assert not lists_all(policy(statement))


@pytest.mark.parametrize(
    "denial",
    [
        {"Effect": "Deny", "Action": ["s3:List*"], "Resource": ["arn:aws:s3:::b1"]},
        {"Effect": "Deny", "Action": "S3:listallmybuckets"},
        {"Effect": "Deny", "NotAction": ["s3:GetObject"]},
        {"Effect": "Perhaps", "Action": ["s3:GetObject"]},
    ],
)
def test_a_denial_that_may_match_takes_it_back(denial: dict[str, object]) -> None:
    assert not lists_all(policy(ALL, denial))


@pytest.mark.parametrize("odd", [None, [], {}, policy("x"), {"Statement": None}])
def test_what_is_no_policy_lists_nothing(odd: object) -> None:
    assert not lists_all(odd)
