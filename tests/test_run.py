"""``run``: errors become exit codes, one line and a hint, or mc's JSON object."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from mcpy.errors import (
    EXIT_CODE_MEANINGS,
    ApiError,
    ConfigError,
    DeadlineError,
    ExitCode,
    FindingError,
    InputError,
    IntegrityError,
    Interrupted,
    KesError,
    McpyError,
    NoAliasError,
    NotFoundError,
    PartialError,
    ProtocolError,
    S3Error,
    Terminated,
    UnreachableError,
    UnsupportedError,
    exit_code,
)
from mcpy.models import Target
from tests.stub import s3_error

if TYPE_CHECKING:
    import httpx

    from tests.running import Mcpy
    from tests.stub import Server


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (McpyError("x"), 1),
        (InputError("x"), 2),
        (FindingError("x"), 3),
        (ConfigError("x"), 1),
        (NoAliasError("x"), 5),
        (NotFoundError("x"), 5),
        (UnreachableError("x"), 6),
        (DeadlineError("x"), 6),
        (ProtocolError("x"), 1),
        (IntegrityError("x"), 1),
        (UnsupportedError("x"), 7),
        (PartialError("x"), 8),
        (Interrupted("x"), 130),
        (Terminated("x"), 143),
        (S3Error(403, "AccessDenied", ""), 4),
        (S3Error(400, "InvalidTokenId", ""), 4),
        (S3Error(401, "", ""), 4),
        (S3Error(404, "NoSuchKey", ""), 5),
        (S3Error(409, "BucketNotEmpty", ""), 1),
        (S3Error(500, "InternalError", ""), 1),
        (S3Error(503, "SlowDown", ""), 6),
        (S3Error(429, "", ""), 6),
        (S3Error(504, "", ""), 6),
        (S3Error(501, "NotImplemented", ""), 7),
        (S3Error(400, "NotImplemented", ""), 7),
        (S3Error(426, "XMinioAdminVersionMismatch", ""), 7),
        (KesError(403, "not authorized"), 4),
        (KesError(404, "key does not exist"), 5),
        (KesError(400, "key already exists"), 1),
        (ValueError("x"), 1),
    ],
)
def test_every_error_has_its_exit_code(error: Exception, code: int) -> None:
    assert exit_code(error) == code


def test_every_exit_code_has_a_meaning() -> None:
    assert set(EXIT_CODE_MEANINGS) == set(ExitCode)


def test_a_refusal_without_a_reason_says_so() -> None:
    assert str(ApiError(500, "", "")) == "HTTP 500 (the server gave no reason)"
    assert str(KesError(502, "")) == "KES answered HTTP 502 without a reason"


def test_a_usage_error_names_the_help_of_its_command(mcpy: Mcpy) -> None:
    assert mcpy("encrypt", "info") == (
        2,
        "",
        "mcpy: error: missing argument 'TARGET...'\nmcpy: hint: mcpy encrypt info --help\n",
    )


def test_a_usage_error_is_json_when_asked_for(mcpy: Mcpy) -> None:
    result = mcpy("encrypt", "info", "--json")
    assert (result.exit_code, result.stderr) == (2, "")
    assert result.objects == [
        {
            "status": "error",
            "error": {
                "message": "missing argument 'TARGET...'",
                "cause": {"message": "mcpy encrypt info --help", "error": {}},
                "type": "fatal",
                "hint": "mcpy encrypt info --help",
            },
        }
    ]


def test_an_option_before_json_does_not_keep_it_from_the_error(mcpy: Mcpy) -> None:
    assert mcpy("ls", "--nonsense", "play", "--json").objects[0]["status"] == "error"


def test_json_after_a_double_dash_is_a_name(mcpy: Mcpy) -> None:
    result = mcpy("alias", "list", "--", "--json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "`--json` is not an alias name" in result.stderr


def test_a_message_is_one_line_whatever_the_server_says(mcpy: Mcpy, server: Server) -> None:
    server.replies = [s3_error(400, "Odd", "first\nsecond\x1b[31m\u202e")]
    result = mcpy("encrypt", "info", "play/enc-1")
    assert result.stderr.count("\n") == 1
    assert "\x1b" not in result.stderr
    assert "\u202e" not in result.stderr


def test_json_is_one_object_a_line_whatever_the_server_says(mcpy: Mcpy, server: Server) -> None:
    server.replies = [s3_error(400, "Odd", "first\nsecond")]
    result = mcpy("--json", "encrypt", "info", "play/enc-1")
    assert json.loads(result.stdout)["error"]["cause"]["message"] == "first\nsecond"
    assert result.stdout.count("\n") == 1


@pytest.mark.parametrize(
    ("failure", "code"), [(KeyboardInterrupt(), 130), (Terminated("terminated"), 143)]
)
def test_a_signal_has_its_exit_code(
    mcpy: Mcpy, server: Server, failure: BaseException, code: int
) -> None:
    def interrupt(_: httpx.Request) -> httpx.Response:
        raise failure

    server.replies = [interrupt]
    result = mcpy("ls", "play")
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.count("\n") == 1


def test_a_bug_keeps_its_traceback(mcpy: Mcpy, server: Server) -> None:
    def bug(_: httpx.Request) -> httpx.Response:
        raise ZeroDivisionError

    server.replies = [bug]
    with pytest.raises(ZeroDivisionError):
        mcpy("ls", "play")


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("play", Target("play")),
        ("play/", Target("play")),
        ("play/bucket", Target("play", "bucket")),
        ("play/bucket/", Target("play", "bucket", "")),
        ("play/bucket/a/b", Target("play", "bucket", "a/b")),
        ("play/bucket//a", Target("play", "bucket", "/a")),
        ("play/bucket/a ü\n", Target("play", "bucket", "a ü\n")),
    ],
)
def test_a_target_is_alias_bucket_and_key(text: str, target: Target) -> None:
    assert Target.parse(text) == target


@pytest.mark.parametrize("text", ["", "/", "/bucket", "play//key", "play/Bucket", "1play/bucket"])
def test_what_is_no_target_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        Target.parse(text)
