"""Global options: anywhere on the line, and in the environment under both names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from mcpy.cli.options import GLOBAL_OPTIONS, from_environment, variable_names
from tests.recordings import minio
from tests.running import Terminal

if TYPE_CHECKING:
    import click

    from tests.running import Mcpy
    from tests.stub import Server

INFO = ("encrypt", "info", "play/enc-1")


@pytest.mark.parametrize("position", range(4))
def test_json_may_stand_anywhere(mcpy: Mcpy, server: Server, position: int) -> None:
    server.replies = [minio("be-get-after-sse-s3")]
    args = [*INFO[:position], "--json", *INFO[position:]]
    result = mcpy(*args)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.objects[0]["op"] == "info"


@pytest.mark.parametrize("name", ["MCPY_JSON", "MC_JSON"])
@pytest.mark.parametrize("value", ["1", "true", "ON", "yes"])
def test_json_may_be_asked_for_by_the_environment(
    mcpy: Mcpy, server: Server, name: str, value: str
) -> None:
    server.replies = [minio("be-get-after-sse-s3")]
    assert mcpy(*INFO, env={name: value}).objects[0]["op"] == "info"


@pytest.mark.parametrize("value", ["0", "false", "off", "no", ""])
def test_the_environment_may_say_no(mcpy: Mcpy, server: Server, value: str) -> None:
    server.replies = [minio("be-get-after-sse-s3")]
    assert mcpy(*INFO, env={"MC_JSON": value}).stdout.startswith("`play/enc-1`")


@pytest.mark.parametrize("option", GLOBAL_OPTIONS, ids=lambda option: str(option.name))
def test_every_global_option_has_two_names_in_the_environment(option: click.Option) -> None:
    ours, theirs = variable_names(option)
    assert ours.startswith("MCPY_")
    assert theirs == ours.replace("MCPY_", "MC_")
    value = {
        "config_dir": "/x",
        "ca": "/x",
        "timeout_s": "2m",
        "retries": "7",
        "resolve": "h=1.2.3.4",
        "custom_header": "A:b",
        "limit_upload": "10MiB",
        "limit_download": "1.5G",
    }.get(str(option.name), "on")
    plain = getattr(from_environment({}), str(option.name))
    for name in (ours, theirs):
        assert getattr(from_environment({name: value}), str(option.name)) != plain


def test_our_name_goes_before_the_one_of_mc() -> None:
    settings = from_environment({"MCPY_CONFIG_DIR": "/ours", "MC_CONFIG_DIR": "/theirs"})
    assert settings.config_dir == Path("/ours")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MCPY_JSON", "maybe"),
        ("MCPY_TIMEOUT", "soon"),
        ("MC_RETRIES", "many"),
        ("MCPY_RETRIES", "-1"),
        ("MCPY_RESOLVE", "host"),
        ("MCPY_CUSTOM_HEADER", "hush-hush"),
    ],
)
def test_a_variable_that_cannot_be_read_is_named_and_not_repeated(
    mcpy: Mcpy, name: str, value: str
) -> None:
    mcpy.secrets.add("hush-hush")
    result = mcpy(*INFO, env={name: value})
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"mcpy: error: {name} does not hold a value for --")


def test_no_color_is_obeyed_whatever_its_value() -> None:
    assert from_environment({"NO_COLOR": "0"}).no_color
    assert not from_environment({"NO_COLOR": ""}).no_color


def test_an_option_of_the_line_goes_before_the_environment(mcpy: Mcpy, server: Server) -> None:
    server.replies = [httpx.ReadTimeout("slow")]
    result = mcpy(*INFO, "--timeout", "2s", env={"MCPY_TIMEOUT": "9s"})
    assert "gave no answer within 2 s" in result.stderr


@pytest.mark.parametrize(
    ("text", "seconds"), [("5", "5"), ("5s", "5"), ("2m", "120"), ("500ms", "0.5"), ("1h", "3600")]
)
def test_a_timeout_is_a_duration(mcpy: Mcpy, server: Server, text: str, seconds: str) -> None:
    server.replies = [httpx.ReadTimeout("slow")]
    result = mcpy(*INFO, "--timeout", text)
    assert f"gave no answer within {seconds} s" in result.stderr


@pytest.mark.parametrize("text", ["0", "-5", "5 parsecs", "", "1d", "inf", "nan", "0s"])
def test_what_is_no_duration_is_refused(mcpy: Mcpy, text: str) -> None:
    result = mcpy(*INFO, f"--timeout={text}")
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"`{text}` is not a duration such as 30s or 2m" in result.stderr


def test_no_retries_may_be_asked_for(mcpy: Mcpy, server: Server) -> None:
    server.replies = [httpx.Response(503)]
    assert mcpy(*INFO, "--retries", "0").exit_code == 6
    assert len(server.calls) == 1


def test_custom_headers_add_up_and_go_with_every_request(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("be-get-after-sse-s3")]
    assert mcpy("-H", "X-One: 1", *INFO, "-H", "X-Two:2").exit_code == 0
    sent = server.requests[0].headers
    assert (sent["x-one"], sent["x-two"]) == ("1", "2")


@pytest.mark.parametrize("text", ["nothing", "bad name:x", "A:b\nC:d", ":x"])
def test_what_is_no_header_is_refused(mcpy: Mcpy, text: str) -> None:
    result = mcpy(*INFO, "--custom-header", text)
    assert result == (2, "", "mcpy: error: a custom header is NAME:VALUE\n")


@pytest.mark.parametrize("text", ["host", "=1.2.3.4", "host="])
def test_what_names_no_address_is_refused(mcpy: Mcpy, text: str) -> None:
    result = mcpy(*INFO, "--resolve", text)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "is not HOST[:PORT]=ADDRESS" in result.stderr


def test_debug_shows_requests_without_secrets(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("be-get-after-sse-s3")]
    result = mcpy("--debug", *INFO)
    line = "mcpy: debug: GET http://s3.test:9000/enc-1?encryption= -> 200 ("
    assert result.stderr.startswith(line)


def test_quiet_does_not_silence_what_was_asked_for(mcpy: Mcpy, server: Server) -> None:
    server.replies = [minio("be-get-after-sse-s3")]
    assert mcpy("-q", *INFO).stdout.startswith("`play/enc-1` encrypts")


def test_errors_are_coloured_on_a_terminal_only(mcpy: Mcpy) -> None:
    plain = mcpy("ls", "ghost")
    colored = mcpy("ls", "ghost", stderr=Terminal())
    assert "\x1b[" not in plain.stderr
    assert "\x1b[31;1merror:\x1b[0m no alias `ghost`" in colored.stderr


@pytest.mark.parametrize("how", [("--no-color",), ()])
def test_no_color_paints_nothing(mcpy: Mcpy, how: tuple[str, ...]) -> None:
    env = {} if how else {"NO_COLOR": "1"}
    assert "\x1b[" not in mcpy("ls", "ghost", *how, stderr=Terminal(), env=env).stderr


@pytest.mark.parametrize("text", ["99999999999999999999", "9" * 400, "481h"])
def test_a_timeout_no_socket_can_keep_is_refused(mcpy: Mcpy, text: str) -> None:
    assert mcpy(*INFO, "--timeout", text) == (
        2,
        "",
        f"mcpy: error: `{text}` is longer than 480h, the longest duration\n",
    )


def test_a_header_that_is_not_ascii_is_named_and_not_repeated(mcpy: Mcpy) -> None:
    message = "mcpy: error: the value of the custom header X-A is not ASCII\n"
    assert mcpy(*INFO, "-H", "X-A: ü") == (2, "", message)


@pytest.mark.parametrize("text", ["99999999999d", "9999999y", "9" * 5000 + "s"])
@pytest.mark.parametrize("option", ["--rewind", "--older-than"])
def test_an_age_before_all_calendars_is_refused(mcpy: Mcpy, option: str, text: str) -> None:
    result = mcpy("cp", "--recursive", option, text, "play/b", "play/c")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"mcpy: error: `{text}` is ")


@pytest.mark.parametrize("secret_key", ["s", "ü"])
def test_an_access_key_no_header_can_hold_is_refused(mcpy: Mcpy, secret_key: str) -> None:
    assert mcpy(*INFO, env={"MC_HOST_play": f"http://ü:{secret_key}@s3.test"}) == (
        1,
        "",
        "mcpy: error: the access key holds characters that no header can hold\n",
    )


@pytest.mark.parametrize("name", ["content-length", "Transfer-Encoding", "Host", "EXPECT"])
def test_a_header_that_says_where_a_request_ends_is_refused(
    mcpy: Mcpy, server: Server, name: str
) -> None:
    assert mcpy(*INFO, "-H", f"{name}:3") == (
        2,
        "",
        f"mcpy: error: the header {name} cannot be set: requests depend on it\n",
    )
    assert server.calls == []
