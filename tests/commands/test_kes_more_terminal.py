"""What a person sees on a terminal, where a pipe gets JSON or bare names as from `kes`."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

from mcpy.api.kes_types import PolicyInfo
from mcpy.commands.kes.crypto import Made
from mcpy.commands.kes.ls import Names
from mcpy.commands.kes.metric import Metrics
from mcpy.commands.kes.policy import PolicyRules
from mcpy.commands.kes.status import Apis


def test_a_data_key_is_two_lines() -> None:
    made = Made({"plaintext": "cA==", "ciphertext": "Yw=="}, lines=True)
    assert made.text() == "plaintext:  cA==\nciphertext: Yw=="


def test_what_a_data_key_is_shows_in_no_repr() -> None:
    assert "cA==" not in repr(Made({"plaintext": "cA=="}, lines=True))


def test_names_stand_under_a_header() -> None:
    assert Names("Key", ["a", "b"], aligned=True).text() == "Key\na\nb"


def test_counters_are_lines_and_times_are_left_out() -> None:
    counters = {"kes_a": 1, "kes_longer": 2, "kes_http_response_time": {"10": 1}}
    assert Metrics(counters, lines=True).text() == "kes_a       1\nkes_longer  2\n"


def test_a_policy_is_two_lists() -> None:
    rules = PolicyInfo("p", "2026", "ab", allow=("/v1/a*", "/v1/b"), deny=("/v1/c",))
    assert PolicyRules(rules, lines=True).text() == (
        "Allow:\n  /v1/a*\n  /v1/b\nDeny:\n  /v1/c\n"
        "Name        p\nDate        2026\nCreated by  ab"
    )


def test_apis_stand_in_columns() -> None:
    apis = [{"method": "GET", "path": "/v1/log", "timeout": 0}]
    assert Apis(apis, aligned=True).text() == "Method  API      Timeout\nGET     /v1/log  Inf"


def test_a_pipe_gets_bare_output_although_stderr_is_a_terminal() -> None:
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "mcpy", "kes", "identity"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=theirs,
            check=True,
            timeout=60,
        )
    finally:
        os.close(theirs)
        os.close(ours)
    assert done.stdout.startswith(b"kes:v1:")
    assert done.stdout.count(b"\n") == 1
