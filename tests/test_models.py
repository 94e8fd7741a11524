"""What the values of the domain mean, whoever spells them."""

from __future__ import annotations

import pytest

from mcpy.commands.encrypt.audit_report import default_scheme
from mcpy.models import BucketEncryption, scheme_of


@pytest.mark.parametrize(
    ("algorithm", "scheme", "default"),
    [
        ("AES256", "sse-s3", "sse-s3"),
        ("aws:kms", "sse-kms", "sse-kms"),
        ("aws:kms:dsse", "sse-kms", "sse-kms"),
        ("", "plain", "none"),
        ("rot13", "unknown", "rot13"),
    ],
)
def test_a_bucket_and_an_object_name_a_scheme_alike(
    algorithm: str, scheme: str, default: str
) -> None:
    assert scheme_of(algorithm) == scheme
    assert default_scheme(BucketEncryption(algorithm), "") == default
