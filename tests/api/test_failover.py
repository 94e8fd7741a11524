"""Several KES servers: the next one is asked where that cannot do a thing twice."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx
import pytest

from mcpy.api.http import HttpOptions
from mcpy.api.kes import Kes
from mcpy.errors import DeadlineError, UnreachableError

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
    with pytest.raises(
        UnreachableError, match=r"cannot connect to one\.test.*; cannot connect to two\.test"
    ):
        kes.create_key("k")


def test_a_server_that_hangs_leaves_time_for_the_others(server: Server) -> None:
    kes = Kes([*SERVERS, "https://three.test"], HttpOptions(transport=server, retries=0), None)
    server.replies = [httpx.ReadTimeout("slow"), httpx.ReadTimeout("slow"), httpx.Response(200)]
    kes.ready()
    given = [request.extensions["timeout"]["read"] for request in server.requests]
    assert given[0] == pytest.approx(10, abs=0.1)
    assert given[1] == pytest.approx(15, abs=0.1)


def test_those_that_hung_are_named(kes: Kes, server: Server) -> None:
    server.replies = [httpx.ReadTimeout("slow"), httpx.ReadTimeout("slow")]
    with pytest.raises(
        DeadlineError, match=r"one\.test:7373 gave no answer within 15 s; two\.test:7373 gave"
    ):
        kes.ready()


def test_threads_that_fail_together_all_come_to_the_server_that_is_there() -> None:
    together = threading.Barrier(8)

    class Half(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if request.url.host == "one.test":
                together.wait(10)
                raise httpx.ConnectError("refused")
            return httpx.Response(200)

    kes = Kes(SERVERS, HttpOptions(transport=Half(), retries=0), None)
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(kes.ready) for _ in range(8)]:
            done.result()
    assert kes.where == "two.test:7373"
