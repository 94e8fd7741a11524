"""The HTML reports in a real Chromium: light, dark, narrow, printed, and without a network."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import zlib
from typing import TYPE_CHECKING

import pytest

from mcpy.cli import page as html
from mcpy.cli.page import Cell, Part
from mcpy.cli.sizes import plural

if TYPE_CHECKING:
    from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--host-resolver-rules=MAP * ~NOTFOUND", "--hide-scrollbars"),
)
DARK = "--blink-settings=preferredColorScheme=0"
LIGHT = "--blink-settings=preferredColorScheme=1"
# as slow as a browser is: run where the real servers are run too
ASKED_FOR = bool(os.environ.get("MCPY_PEERS_BIN"))
needs_chromium = pytest.mark.skipif(
    not (CHROMIUM and ASKED_FOR), reason="chromium is not installed, or MCPY_PEERS_BIN is not set"
)


def report() -> str:
    parts = [
        Part("plain", "plain", 10, "1 version, 10 B"),
        Part("sse-kms", "sse-kms tenant-a", 30, "3 versions, 30 B"),
        Part("unreadable", "unreadable", 5, "1 version, 5 B"),
        Part("sse-s3", "none of these", 0, "0 versions"),
    ]
    rows = [[Cell("plain"), Cell("a/<b>", name=True), Cell("1", number=True)]]
    headers = [Cell("Scheme"), Cell("Key"), Cell("Objects", number=True)]
    body = [
        html.tiles([("5", "versions", ""), ("1", "not encrypted", "bad")]),
        html.panel("play/b-1", "default: none", [html.bar(parts, "By scheme")]),
        html.table(headers, rows),
        html.paragraph("Nothing <i>else</i>.", "soft"),
    ]
    return html.document("A report", under="today", body=body, foot=["To know."])


def chromium(folder: Path, *args: str) -> bytes:
    """Run Chromium over the report, and return its stdout."""
    file = folder / "report.html"
    file.write_text(report(), "utf-8")
    command = [CHROMIUM, *QUIET, f"--user-data-dir={folder / 'profile'}", *args, file.as_uri()]
    done = subprocess.run(command, capture_output=True, timeout=60, check=True)
    return done.stdout


def first_pixel(png: Path) -> tuple[int, int, int]:
    """Return the colour of the upper left corner: no filter of PNG changes the first pixel."""
    data, place, packed = png.read_bytes(), 8, b""
    while place < len(data):
        length, kind = struct.unpack(">I4s", data[place : place + 8])
        packed += data[place + 8 : place + 8 + length] if kind == b"IDAT" else b""
        place += 12 + length
    red, green, blue = zlib.decompress(packed)[1:4]
    return red, green, blue


def test_names_are_escaped_and_nothing_is_fetched() -> None:
    text = report()
    assert "a/&lt;b&gt;" in text
    assert "Nothing &lt;i&gt;else&lt;/i&gt;." in text
    assert "http" not in text.replace("http-equiv", "")
    assert "<script" not in text


def test_a_bar_shows_each_part_by_its_share_and_in_words() -> None:
    text = html.bar([Part("plain", "p", 1, "one"), Part("sse-s3", "s", 3, "three")], "what")
    assert 'width="250.00"' in text
    assert 'x="250.00" width="750.00"' in text
    assert "p: one" in text
    assert html.bar([Part("plain", "p", 0, "none")], "what") == ""


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 versions"), (1, "1 version"), (2000, "2,000 versions")]
)
def test_one_is_not_a_plural(number: int, words: str) -> None:
    assert plural(number, "version") == words


@needs_chromium
def test_the_page_is_white_by_day_and_dark_by_night(tmp_path: Path) -> None:
    for scheme, expected in ((LIGHT, (255, 255, 255)), (DARK, (13, 17, 23))):
        picture = tmp_path / "picture.png"
        chromium(tmp_path, scheme, "--window-size=1000,700", f"--screenshot={picture}")
        assert first_pixel(picture) == expected


@needs_chromium
def test_the_page_can_be_printed(tmp_path: Path) -> None:
    printed = tmp_path / "printed.pdf"
    chromium(tmp_path, f"--print-to-pdf={printed}")
    assert printed.read_bytes().startswith(b"%PDF-")


@needs_chromium
def test_a_browser_reads_the_charts_and_tables(tmp_path: Path) -> None:
    dom = chromium(tmp_path, "--dump-dom").decode()
    assert dom.count("<rect ") == 3
    assert '<td class="name">a/&lt;b&gt;</td>' in dom
