"""HTTP to providers: repeats, what they ask for, and how much is taken from them."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from mcpy.errors import ConfigError, ProtocolError, UnreachableError
from mcpy.keystores.tokens import Token, Tokens
from mcpy.keystores.web import MAX_BODY_BYTES, Web, WebOptions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def web(answers: list[httpx.Response | Exception], waits: list[float], **more: Any) -> Web:  # noqa: ANN401
    """Return a client whose provider gives these answers in turn."""

    def handle(_: httpx.Request) -> httpx.Response:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    options = WebOptions(
        transport=httpx.MockTransport(handle), sleep=waits.append, retries=2, **more
    )
    return Web("https://kms.test/", options)


def test_what_the_provider_asks_to_wait_is_waited() -> None:
    waits: list[float] = []
    answers = [httpx.Response(429, headers={"Retry-After": after}) for after in ("7", "3600")]
    reply = web([*answers, httpx.Response(200, json={"a": 1})], waits).send("GET", "/x")
    assert (reply.status, reply.body, reply.repeated) == (200, {"a": 1}, True)
    assert waits == [7.0, 20.0]


def test_what_must_not_be_repeated_is_not_unless_nobody_took_it() -> None:
    waits: list[float] = []
    for answer in (httpx.Response(502, json={}), httpx.ReadError("cut")):
        client = web([answer], waits)
        if isinstance(answer, Exception):
            with pytest.raises(UnreachableError, match=r"kms\.test: cut"):
                client.send("PUT", "/x", repeatable=False)
        else:
            assert client.send("PUT", "/x", repeatable=False).status == 502
    busy = web([httpx.Response(503, json={}), httpx.Response(200, json={})], waits)
    assert busy.send("PUT", "/x", repeatable=False).status == 200
    assert len(waits) == 1


def test_a_call_with_its_repeats_ends_in_time() -> None:
    waits: list[float] = []
    busy = httpx.Response(503, json={}, headers={"Retry-After": "20"})
    asked: list[httpx.Response | Exception] = [busy, busy, busy]
    client = web(asked, waits, timeout_s=10)
    assert (client.send("GET", "/x").status, waits, len(asked)) == (503, [], 2)


def test_what_begins_after_the_end_of_the_command_is_not_sent() -> None:
    client = web([], [], over_at=time.monotonic())
    with pytest.raises(UnreachableError, match="not asked, since the time of --timeout is over"):
        client.send("DELETE", "/x")


def test_an_answer_that_does_not_end_is_cut_off() -> None:
    class Endless(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            while True:
                yield b" "

    client = web([httpx.Response(200, stream=Endless())], [], timeout_s=0.05)
    with pytest.raises(UnreachableError, match="does not end in time"):
        client.send("GET", "/x")


def test_the_last_failure_is_reported() -> None:
    client = web([httpx.ConnectError("refused")] * 3, [])
    with pytest.raises(UnreachableError, match=r"kms\.test: refused"):
        client.send("GET", "/x")


def test_what_no_number_of_seconds_is_is_not_waited_for() -> None:
    waits: list[float] = []
    answers = [httpx.Response(503, headers={b"Retry-After": "²".encode("latin-1")})]
    assert web([*answers, httpx.Response(200, json={})], waits).send("GET", "/x").status == 200
    assert 0 < waits[0] <= 0.2


def test_a_body_packed_wrongly_is_no_answer_of_the_provider() -> None:
    def handle(_: httpx.Request) -> httpx.Response:
        packed = httpx.ByteStream(b"no gzip")
        return httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=packed)

    options = WebOptions(transport=httpx.MockTransport(handle), retries=0)
    with pytest.raises(ProtocolError, match=r"kms\.test: "):
        Web("https://kms.test", options).send("GET", "/x")


@pytest.mark.parametrize("content", [b"<html>", b"x" * (MAX_BODY_BYTES + 1), b"[" * 200_000])
def test_what_is_no_answer_of_the_provider_is_refused(content: bytes) -> None:
    with pytest.raises(ProtocolError, match=r"kms\.test"):
        web([httpx.Response(200, content=content)], []).send("GET", "/x")


def test_requests_are_traced_without_their_contents() -> None:
    said: list[str] = []
    client = web([httpx.Response(200, json={"material": "s"})], [], trace=said.append)
    client.send("POST", "/x", json={"material": "s"}, headers={"Authorization": "Bearer t"})
    assert len(said) == 1
    assert said[0].startswith("POST https://kms.test/x -> 200 (")


def test_certificates_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("none")
    client = Web("https://kms.test", WebOptions(ca=tmp_path / "ca.pem"))
    with pytest.raises(ConfigError, match=r"the certificates for kms\.test cannot be used"):
        client.send("GET", "/x")


def test_others_sign_in_by_the_same_authorities(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    assert WebOptions().verify() is True
    monkeypatch.setenv("SSL_CERT_FILE", "/etc/own.pem")
    assert WebOptions().verify() == "/etc/own.pem"
    assert WebOptions(ca=tmp_path).verify() == str(tmp_path)


def test_a_token_is_kept_until_shortly_before_its_end() -> None:
    made: list[float] = []
    now = 1000.0

    def fetch() -> Token:
        made.append(now)
        return Token(f"t{len(made)}", now + 600)

    tokens = Tokens(fetch, now=lambda: now)
    assert (tokens.get(), tokens.get()) == ("t1", "t1")
    now = 1541.0
    assert tokens.get() == "t2"
    tokens.forget("t1")
    assert tokens.get() == "t2"
    tokens.forget("t2")
    assert tokens.get() == "t3"
    assert "t3" not in repr(Token("t3", 1))


def test_many_who_ask_at_once_share_one_token() -> None:
    made: list[int] = []
    gate = threading.Barrier(8)

    def fetch() -> Token:
        made.append(1)
        return Token("t", 9e9)

    tokens = Tokens(fetch)

    def ask() -> None:
        gate.wait(5)
        tokens.get()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1


def test_a_password_in_an_address_stands_in_no_message() -> None:
    options = WebOptions(retries=0)
    assert Web("https://me:throw-away@kms.test:8200/x", options).where == "kms.test:8200"
