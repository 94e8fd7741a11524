"""All that is written: masked, escaped, in one line, and to the right stream."""

from __future__ import annotations

import io
import os
from typing import Any

import pytest

from mcpy.cli.options import Settings
from mcpy.cli.output import MASK, Output, printable, table
from mcpy.cli.sizes import human_size
from mcpy.errors import InputError
from tests.running import Terminal


class News:
    """A result with a secret in it."""

    def data(self) -> dict[str, Any]:
        return {"news": "hush-hush ü"}

    def text(self) -> str:
        return "news: hush-hush"


def output(**settings: bool) -> Output:
    return Output(Settings(**settings), io.StringIO(), io.StringIO())  # type: ignore[arg-type]


def written(out: Output) -> tuple[str, str]:
    assert isinstance(out.stdout, io.StringIO)
    assert isinstance(out.stderr, io.StringIO)
    return out.stdout.getvalue(), out.stderr.getvalue()


def test_data_is_text_on_stdout() -> None:
    out = output()
    out.emit(News())
    assert written(out) == ("news: hush-hush\n", "")


def test_data_is_one_json_object_a_line() -> None:
    out = output(json=True)
    out.emit(News())
    assert written(out) == ('{"news":"hush-hush ü"}\n', "")


@pytest.mark.parametrize("json", [False, True])
def test_a_secret_is_masked_wherever_it_stands(json: bool) -> None:
    out = output(json=json, debug=True)
    out.hide("hush-hush")
    out.emit(News())
    out.warn("hush-hush")
    out.debug("hush-hush")
    out.error(InputError("hush-hush", hint="hush-hush"))
    stdout, stderr = written(out)
    assert "hush-hush" not in stdout + stderr
    assert MASK in stdout


@pytest.mark.parametrize("json", [False, True])
def test_a_secret_within_another_leaves_no_rest(json: bool) -> None:
    out = output(json=json)
    for end in (6, 8, 7, 9):
        out.hide("hush-hush"[:end])
    out.emit(News())
    assert "".join(written(out)).count("ush") == 0


def test_a_secret_is_masked_as_json_writes_it() -> None:
    out = output(json=True)
    out.hide('secret-"ü"-secret')
    out.error(InputError('bad: secret-"ü"-secret'))
    stdout, stderr = written(out)
    assert "secret" not in stdout + stderr
    assert MASK in stdout


def test_a_secret_too_short_to_mask_is_let_be() -> None:
    out = output()
    out.hide("us", "")
    out.emit(News())
    assert written(out)[0] == "news: hush-hush\n"


def test_revealed_secrets_are_printed() -> None:
    out = output()
    out.hide("hush-hush")
    out.reveal()
    out.emit(News())
    assert written(out)[0] == "news: hush-hush\n"


def test_notes_are_for_people_alone() -> None:
    for settings in ({"json": True}, {"quiet": True}):
        out = output(**settings)
        out.note("working")
        assert written(out) == ("", "")
    out = output()
    out.note("working")
    assert written(out) == ("", "mcpy: working\n")


def test_warnings_are_for_all() -> None:
    out = output(json=True, quiet=True)
    out.warn("careful")
    assert written(out) == ("", "mcpy: warning: careful\n")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ü", "plain ü"),
        ("tab\there", "tab\there"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\rb", "a\\rb"),
        ("\u202eabc", "\\u202eabc"),
        ("\x9b31m", "\\x9b31m"),
        ("a\u2028b", "a\\u2028b"),
    ],
)
def test_nothing_from_a_server_steers_the_terminal(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_terminal_sees_a_spinner_and_a_bar() -> None:
    out = Output(Settings(), io.StringIO(), Terminal())
    with out.spinner("restart play") as say:
        say("1 of 2 nodes are back")
    with out.progress("file", total=10) as advance:
        advance(10)
    assert isinstance(out.stderr, Terminal)
    assert out.stderr.getvalue()


def test_a_pipe_sees_neither() -> None:
    out = output()
    with out.spinner("restart play") as say:
        say("1 of 2 nodes are back")
    with out.progress("file", total=10) as advance:
        advance(10)
    assert written(out) == ("", "")


def test_a_reader_who_left_is_not_written_to_again() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe:
        out = Output(Settings(), pipe, io.StringIO())
        out.emit(News())
        out.flush()
        assert out.reader_left
        out.emit(News())


def test_columns_are_aligned_for_people_and_tabbed_for_pipes() -> None:
    rows = [["a", "1"], ["long", "22"]]
    assert table(["N", "V"], rows, aligned=True) == "N     V\na     1\nlong  22"
    assert table(["N", "V"], rows, aligned=False) == "a\t1\nlong\t22"


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (3 * 1024**3, "3.0 GiB"),
        (5000 * 1024**6, "5000.0 EiB"),
    ],
)
def test_sizes_are_in_powers_of_two(count: int, shown: str) -> None:
    assert human_size(count) == shown
