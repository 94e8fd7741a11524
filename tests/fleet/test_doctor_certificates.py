"""How certificates near their end, or beyond it, are judged."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mcpy.api.peer import PeerCertificate
from mcpy.errors import ExitCode
from mcpy.fleet.doctor.server import certificate

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def shown(**changes: Any) -> PeerCertificate:  # noqa: ANN401 - fields
    fields: dict[str, Any] = {
        "subject": "s",
        "issuer": "i",
        "names": ("s3.test",),
        "not_before": NOW,
        "not_after": NOW + timedelta(days=100),
        "self_signed": False,
    }
    return PeerCertificate(**(fields | changes))


@pytest.mark.parametrize(
    ("changes", "level", "words", "hint"),
    [
        ({}, "ok", "for s3.test, is trusted and lasts until 2026-04-11", ""),
        (
            {"judged": False},
            "warning",
            "lasts until 2026-04-11, and was not judged",
            "leave out --insecure, and give --ca FILE",
        ),
        ({"names": ()}, "ok", "for no name at all", ""),
        (
            {"not_after": NOW + timedelta(days=13, hours=1)},
            "warning",
            "ends in 13 days, on 2026-01-14",
            "renew the server's certificate",
        ),
        (
            {"problem": "certificate has expired"},
            "failed",
            "is not trusted: certificate has expired",
            "renew the server's certificate",
        ),
        (
            {"problem": "self-signed certificate", "self_signed": True},
            "failed",
            "is not trusted",
            "--ca FILE, with this very certificate: it is its own issuer",
        ),
        (
            {"problem": "unable to get local issuer certificate"},
            "failed",
            "is not trusted",
            "--ca FILE, with the certificate of who issued it",
        ),
    ],
)
def test_the_certificate_of_a_server(
    changes: dict[str, Any], level: str, words: str, hint: str
) -> None:
    (step,) = certificate("tls", shown(**changes), NOW)
    assert (step.level, step.hint) == (level, hint)
    assert words in step.text
    if level == "failed":
        assert step.code == ExitCode.UNREACHABLE
