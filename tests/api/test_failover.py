"""Several KES servers: the next one is asked where that cannot do a thing twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from mcpy.api.http import HttpOptions
from mcpy.api.kes import Kes
from mcpy.errors import UnreachableError

if TYPE_CHECKING:
    from tests.stub import Server

SERVERS = ["https://one.test:7373", "https://two.test:7373"]


@pytest.fixture
def kes(server: Server) -> Kes:
    return Kes(SERVERS, HttpOptions(transport=server, retries=0), None)


def test_a_server_that_is_not_there_passes_even_a_create_on(kes: Kes, server: Server) -> None:
    server.replies = [httpx.ConnectError("refused"), httpx.Response(200)]
    kes.create_key("k")
    assert [request.url.host for request in server.requests] == ["one.test", "two.test"]


def test_a_create_whose_answer_was_lost_is_not_sent_elsewhere(kes: Kes, server: Server) -> None:
    server.replies = [httpx.ReadError("reset")]
    with pytest.raises(UnreachableError):
        kes.create_key("k")
    assert len(server.requests) == 1


def test_the_server_that_answered_is_asked_first_from_then_on(kes: Kes, server: Server) -> None:
    server.replies = [httpx.ConnectError("refused"), httpx.Response(200), httpx.Response(200)]
    kes.create_key("a")
    kes.create_key("b")
    assert [r.url.host for r in server.requests] == ["one.test", "two.test", "two.test"]


def test_when_none_answers_the_last_ones_failure_is_told(kes: Kes, server: Server) -> None:
    server.replies = [httpx.ConnectError("refused"), httpx.ConnectError("refused")]
    with pytest.raises(UnreachableError, match=r"cannot connect to two\.test"):
        kes.create_key("k")
