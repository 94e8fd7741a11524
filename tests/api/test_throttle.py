"""The limits of uploads and downloads, by a clock of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from mcpy.api.call import Outgoing, origin_of
from mcpy.api.failures import Late
from mcpy.api.outgoing import pieces
from mcpy.api.throttle import Throttle, Throttled
from mcpy.cli.params import parse_rate
from mcpy.errors import InputError
from tests.stub import ETAG

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.running import Mcpy
    from tests.stub import Server


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def now(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    def throttle(self, bytes_per_s: int) -> Throttle:
        return Throttle(bytes_per_s, now=self.now, sleep=self.sleep)


def test_bytes_take_their_time_and_stay_as_they_are() -> None:
    clock = Clock()
    chunks = [b"x" * 50_000, b"", b"y" * 150_000]
    turns = list(clock.throttle(100_000).paced(chunks))
    assert b"".join(turns) == b"".join(chunks)
    assert clock.now_s == pytest.approx(102.0)
    assert max(map(len, turns)) == 12_500


def test_who_was_idle_does_not_catch_up() -> None:
    clock = Clock()
    throttle = clock.throttle(1000)
    throttle.take(1000)
    clock.now_s += 60
    throttle.take(1000)
    assert clock.now_s == pytest.approx(162.0)


class Wire:
    """Takes a body in pieces, as a network does."""

    sent = b""
    closed = False
    status = 200

    def __init__(self) -> None:
        self.headers: Mapping[str, str] = {}

    def send(self, request: Outgoing, moment: float | None) -> Wire:
        del moment
        self.sent = b"".join(pieces(request))
        return self

    def chunks(self) -> Iterator[bytes]:
        yield b"z" * 4000

    def close(self) -> None:
        self.closed = True


def outgoing(content: bytes) -> Outgoing:
    headers = {"content-length": str(len(content))}
    return Outgoing("PUT", origin_of("http://s3.test"), "/", headers, content)


def test_both_directions_are_held_apart() -> None:
    clock, wire = Clock(), Wire()
    sender = Throttled(wire, upload=clock.throttle(1000), download=clock.throttle(2000))
    reply = sender.send(outgoing(b"x" * 3000), None)
    assert (wire.sent, b"".join(reply.chunks())) == (b"x" * 3000, b"z" * 4000)
    assert clock.now_s == pytest.approx(105.0)
    reply.close()
    sender.close()
    assert wire.closed


def test_a_limit_does_not_outlast_the_deadline() -> None:
    clock = Clock()
    sender = Throttled(Wire(), upload=clock.throttle(1000), download=clock.throttle(1000))
    with pytest.raises(Late):
        sender.send(outgoing(b"x" * 3000), clock.now_s + 2)
    assert clock.now_s == pytest.approx(102.0)
    reply = sender.send(outgoing(b""), clock.now_s + 2)
    with pytest.raises(Late):
        list(reply.chunks())
    assert clock.now_s == pytest.approx(104.0)


@pytest.mark.parametrize(
    ("text", "rate"),
    [("512KiB", 524288), ("1M", 1_000_000), ("1.5 GiB/s", 1610612736), ("2000", 2000)],
)
def test_a_rate_is_read_as_mc_reads_it(text: str, rate: int) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["", "fast", "0", "999", "-1M", "iB", "1i", "1e9", "1MM", "٣M"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_rate(text)


def test_the_options_hold_for_every_command(mcpy: Mcpy, server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 100)
    server.replies = [
        httpx.Response(200, headers={"content-length": "0", **ETAG}),
        httpx.Response(200, headers={"content-length": "100", **ETAG}),
    ]
    limits = ("--limit-upload", "1GiB", "--limit-download", "1GiB", "--dp")
    assert mcpy("cp", *limits, str(tmp_path / "file"), "play/enc-1/o").exit_code == 0
    assert server.requests[0].content == b"x" * 100


def test_mcs_hidden_deadlines_are_taken_and_a_wrong_rate_is_not(mcpy: Mcpy) -> None:
    words = ("--conn-read-deadline", "1m", "--conn-write-deadline", "2m")
    assert mcpy("alias", "list", *words).exit_code == 0
    result = mcpy("alias", "list", "--limit-upload", "soon")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("mcpy: error: `soon` is not a size such as ")
