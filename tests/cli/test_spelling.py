"""Options as mc's scripts may write them, and what stays an argument."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from mcpy.cli.params import parse_age, parse_moment
from mcpy.errors import InputError
from tests.stub import xml

if TYPE_CHECKING:
    import httpx

    from tests.running import Mcpy
    from tests.stub import Server


def page() -> httpx.Response:
    found = "<Contents><Key>d/a</Key><Size>1</Size></Contents>"
    return xml(200, f"<ListBucketResult>{found}</ListBucketResult>")


@pytest.mark.parametrize(
    "words",
    [
        ("-json", "ls", "-recursive", "play/app"),
        ("--json=true", "ls", "--recursive=1", "play/app"),
        ("ls", "play/app", "-json=T", "-r=true"),
        ("ls", "--json", "--r", "--", "play/app"),
    ],
)
def test_flags_as_go_reads_them(mcpy: Mcpy, server: Server, words: tuple[str, ...]) -> None:
    server.replies = [page()]
    result = mcpy(*words)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.objects[0]["key"] == "d/a"
    assert "delimiter" not in server.calls[0]


def test_a_flag_that_is_false_is_off(mcpy: Mcpy, server: Server) -> None:
    server.replies = [page()]
    result = mcpy("ls", "--recursive=false", "--json=false", "play/app", env={"MC_JSON": "true"})
    assert result.exit_code == 0
    assert result.stdout.endswith(" d/a\n")
    assert "delimiter=%2F" in server.calls[0]


def test_a_flag_has_no_other_value(mcpy: Mcpy, server: Server) -> None:
    result = mcpy("ls", "--recursive=perhaps", "play/app")
    assert (result.exit_code, result.stdout, server.calls) == (2, "", [])
    assert "'--recursive' does not take a value" in result.stderr


def test_short_options_take_a_value_behind_an_equals_sign(mcpy: Mcpy, server: Server) -> None:
    server.replies = [page()]
    assert mcpy("ls", "-H=X-Test:1", "play/app").exit_code == 0
    assert server.requests[0].headers["x-test"] == "1"


def test_a_value_that_looks_like_an_option_stays_a_value(mcpy: Mcpy, server: Server) -> None:
    server.replies = [page()]
    result = mcpy("ls", "--storage-class", "-json", "play/app")
    assert (result.exit_code, result.stdout) == (0, "")


@pytest.mark.parametrize("age", ["1.5h", "90m", "1h30m", "30m1h", "5400000ms"])
def test_ages_as_go_reads_them(age: str) -> None:
    assert parse_age(age) == 5400


@pytest.mark.parametrize(
    "age", ["", "5", "1.h", "1h5", "h", "-1h", "1x", "200y", "2026-11-25 17:50 XYZ"]
)
def test_what_is_no_age(age: str) -> None:
    with pytest.raises(InputError):
        parse_age(age)


def test_an_age_may_be_none() -> None:
    assert parse_age("0d") == parse_age("0s") == 0


@pytest.mark.parametrize(
    "date",
    [
        "2026.01.31",
        "2026.01.31T00:00",
        "2026-01-31T00:00:00Z",
        "2026-01-31 00:00:00 UTC",
        "2026-01-31 00:00:00 GMT",
    ],
)
def test_a_date_is_an_age_too_and_a_moment(date: str) -> None:
    moment = datetime(2026, 1, 31, tzinfo=UTC)
    assert parse_moment(date) == moment
    assert abs(parse_age(date) - (datetime.now(UTC) - moment).total_seconds()) < 60


def test_an_option_that_nobody_knows_is_named_as_it_was_written(mcpy: Mcpy) -> None:
    result = mcpy("ls", "--nosuch=1", "play/app")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "no such option '--nosuch'" in result.stderr
    assert mcpy("ls", "--storage-class").exit_code == 2
