"""Readers that leave and signals that come: quiet ends, and nothing half-written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from mcpy.errors import Terminated
from tests import faulty
from tests.faulty import Faulty, read_request
from tests.running import ACCESS_KEY, SECRET_KEY

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("loopback")

MCPY = [sys.executable, "-m", "mcpy"]
ENTRIES = "".join(
    f"<Contents><Key>key-{i:06}</Key><Size>1</Size></Contents>" for i in range(20000)
)
LISTING = f"<ListBucketResult>{ENTRIES}</ListBucketResult>".encode()


def environment(folder: Path, port: int) -> dict[str, str]:
    url = f"http://{ACCESS_KEY}:{SECRET_KEY}@127.0.0.1:{port}"
    return {**os.environ, "MCPY_CONFIG_DIR": str(folder), "MC_HOST_play": url}


@pytest.fixture(autouse=True)
def _interrupts_are_heard() -> Iterator[None]:
    # tests that a shell runs in its background ignore SIGINT, and so would what they start
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_reader_that_leaves_ends_a_listing_quietly(tmp_path: Path, options: list[str]) -> None:
    with Faulty(faulty.works, lambda _: LISTING) as server:
        listing = subprocess.Popen(
            [*MCPY, "ls", "play/bucket", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(tmp_path, server.port),
        )
        assert listing.stdout
        assert listing.stderr
        assert b"key-000000" in listing.stdout.readline()
        listing.stdout.close()
        said = listing.stderr.read()
        listing.stderr.close()
        assert (listing.wait(20), said) == (0, b"")


def half_an_object(server: Faulty, connection: socket.socket) -> None:
    """Answer HEAD and GET for a large object, and stop in its middle."""
    if read_request(connection).startswith(b"HEAD"):
        head = b"HTTP/1.1 200 OK\r\nETag: e\r\nContent-Length: 1000000\r\n\r\n"
        connection.sendall(head)
        return
    head = b"HTTP/1.1 200 OK\r\nETag: e\r\nConnection: close\r\nContent-Length: 1000000\r\n\r\n"
    connection.sendall(head + b"x" * 500_000)
    server.stopped.wait(20)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 143), (signal.SIGINT, 130)]
)
def test_a_signal_in_a_download_leaves_the_old_file_and_no_other(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    target = folder / "target.bin"
    target.write_text("what was there before")
    with Faulty(half_an_object, lambda _: b"") as server:
        download = subprocess.Popen(
            [*MCPY, "cp", "play/bucket/object", str(target)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(tmp_path, server.port),
        )
        give_up = time.monotonic() + 20
        while not any(path.stat().st_size >= 400_000 for path in folder.iterdir()):
            assert time.monotonic() < give_up, "the download did not begin"
            assert download.poll() is None
            time.sleep(0.05)
        download.send_signal(number)
        stdout, stderr = download.communicate(timeout=20)
    assert (download.returncode, stdout) == (code, "")
    assert "Traceback" not in stderr
    word = "interrupted" if number == signal.SIGINT else "terminated"
    # click begins a new line after the ^C that a terminal shows
    assert stderr.strip() == f"mcpy: error: {word}"
    assert [path.name for path in folder.iterdir()] == ["target.bin"]
    assert target.read_text() == "what was there before"


@pytest.mark.parametrize("mode", [faulty.truncate, faulty.reset_in_the_middle])
def test_a_download_that_breaks_off_leaves_the_old_file_and_no_other(
    tmp_path: Path, mode: faulty.Mode
) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "target").write_text("before")
    with Faulty(mode, lambda _: b"x" * 100_000) as server:
        done = subprocess.run(
            [*MCPY, "--retries", "0", "cp", "play/bucket/object", str(folder / "target")],
            capture_output=True,
            text=True,
            check=False,
            env=environment(tmp_path, server.port),
            timeout=60,
        )
    assert done.returncode in {1, 6}
    assert done.stdout == ""
    assert done.stderr.startswith("mcpy: error: ")
    assert [path.name for path in folder.iterdir()] == ["target"]
    assert (folder / "target").read_text() == "before"


def test_nohup_is_obeyed_and_a_hang_up_is_heard_once() -> None:
    from mcpy.__main__ import _catch_signals

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        _catch_signals()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        _catch_signals()
        with pytest.raises(Terminated):
            signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGHUP)  # what is cleaned up is not interrupted by the next
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
