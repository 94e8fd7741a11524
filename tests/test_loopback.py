"""Which hosts are this machine: a proxy is passed by and plain http is private there alone."""

from __future__ import annotations

import pytest

from mcpy.models import is_loopback


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "::1"])
def test_this_machine_is_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["127.example.org", "localhost.example.org", "10.0.0.1", ""])
def test_a_name_that_only_begins_like_loopback_is_another_machine(host: str) -> None:
    assert not is_loopback(host)
