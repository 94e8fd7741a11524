"""The state of a KES: its APIs, version, counters and logs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx
import pytest

from mcpy.api import kes_metrics
from mcpy.errors import ProtocolError
from tests.stub import kes_error

if TYPE_CHECKING:
    from tests.running import Mcpy
    from tests.stub import Server

pytestmark = pytest.mark.usefixtures("kes_env")

STATE = {"version": "v1", "os": "linux", "arch": "amd64", "uptime": 4, "keystore_latency": 1}
APIS = [
    {"method": "GET", "path": "/v1/status", "max_body": 0, "timeout": 15},
    {"method": "GET", "path": "/v1/log/audit", "max_body": 0, "timeout": 0},
]
COUNTERS = """\
# HELP kes_http_request_error Number of request that failed.
# TYPE kes_http_request_error counter
kes_http_request_error{code="400"} 10
kes_http_request_error{code="404"} 18
kes_http_request_active 0
# TYPE kes_http_response_time histogram
kes_http_response_time_bucket{le="0.01"} 25
kes_http_response_time_bucket{le="1.5"} 28
kes_http_response_time_bucket{le="+Inf"} 28
kes_http_response_time_sum 0.4
kes_http_response_time_count 28
kes_system_up_time 1016.29
kes_system_mem_heap_used 3.643096e+06
go_gc_duration_seconds{quantile="0"} 1
"""
AUDIT = {
    "time": "2026-11-23T12:39:43Z",
    "request": {"ip": "127.0.0.1", "path": "/v1/key/create/k", "identity": "ab"},
    "response": {"code": 200, "time": 3},
}


def version() -> httpx.Response:
    return httpx.Response(200, json={"version": "v1", "commit": "c0"})


def test_the_short_status_is_one_line(mcpy: Mcpy, server: Server) -> None:
    server.replies = [httpx.Response(200, json=STATE), httpx.Response(200)]
    assert mcpy("kes", "status", "-s") == (0, "● kes.test:7373\n", "")


def test_the_apis_are_the_array_of_kes_without_zero_limits(mcpy: Mcpy, server: Server) -> None:
    server.replies = [
        httpx.Response(200, json=STATE),
        httpx.Response(200, json=APIS),
        httpx.Response(200),
    ]
    assert mcpy("kes", "status", "--api", "--json") == (
        0,
        '[{"method":"GET","path":"/v1/log/audit"},'
        '{"method":"GET","path":"/v1/status","timeout":15}]\n',
        "",
    )
    assert server.calls == ["GET /v1/status", "GET /v1/api", "GET /v1/ready"]


def test_the_apis_follow_the_status(mcpy: Mcpy, server: Server) -> None:
    server.replies = [
        httpx.Response(200, json=STATE),
        httpx.Response(200, json=APIS),
        httpx.Response(200),
    ]
    code, stdout, stderr = mcpy("kes", "status", "--api")
    assert (code, stderr) == (0, "")
    assert stdout.endswith("GET\t/v1/log/audit\tInf\nGET\t/v1/status\t15s\n")


def test_the_version_is_the_servers(mcpy: Mcpy, server: Server) -> None:
    server.replies = [version(), version()]
    assert mcpy("kes", "version") == (0, "v1 (commit c0)\n", "")
    assert mcpy("kes", "version", "--json").objects == [
        {"version": "v1", "commit": "c0", "server": "kes.test:7373"}
    ]


def test_the_counters_have_the_names_and_units_of_kes(mcpy: Mcpy, server: Server) -> None:
    server.replies = [httpx.Response(200, text=COUNTERS)]
    code, stdout, stderr = mcpy("kes", "metric", "--once")
    assert (code, stderr) == (0, "")
    assert json.loads(stdout) == {
        "kes_http_request_success": 0,
        "kes_http_request_error": 28,
        "kes_http_request_failure": 0,
        "kes_http_request_active": 0,
        "kes_http_response_time": {"10000000": 25, "1500000000": 28},
        "kes_system_up_time": 1016000000000,
        "kes_system_mem_heap_used": 3643096,
    }
    assert server.calls == ["GET /v1/metrics"]


def test_the_counters_come_again_and_again_until_something_fails(
    mcpy: Mcpy, server: Server
) -> None:
    refusal = kes_error(403, "not authorized: insufficient permissions")
    server.replies = [httpx.Response(200, text=COUNTERS), httpx.Response(200, text=COUNTERS)]
    server.replies.append(refusal)
    code, stdout, stderr = mcpy("kes", "metric", "--rate", "1ms")
    assert (code, len(stdout.splitlines())) == (4, 2)
    assert stderr == "mcpy: error: not authorized: insufficient permissions\n"


def test_the_counters_end_with_the_timeout(mcpy: Mcpy, server: Server) -> None:
    server.replies = [httpx.Response(200, text=COUNTERS)]
    result = mcpy("kes", "metric", "--rate", "10s", "--timeout", "5s")
    assert (result.exit_code, len(result.objects), result.stderr) == (0, 1, "")


def test_prometheus_text_is_printed_as_sent(mcpy: Mcpy, server: Server) -> None:
    server.replies = [httpx.Response(200, text=COUNTERS)]
    assert mcpy("kes", "metric", "--prometheus") == (0, COUNTERS, "")


def test_a_page_without_counters_is_no_kes() -> None:
    with pytest.raises(ProtocolError, match="answered no counters of a KES"):
        kes_metrics.parse("<html>\nup 1\nkes_http_request_error nonsense\n", "x")


def test_a_rate_of_nothing_is_a_usage_error(mcpy: Mcpy) -> None:
    result = mcpy("kes", "metric", "--rate", "0s")
    assert result == (2, "", "mcpy: error: `0s` is not a duration such as 30s or 2m\n")


def test_the_audit_log_says_that_it_waits_and_shows_what_comes(mcpy: Mcpy, server: Server) -> None:
    lines = json.dumps(AUDIT) + "\n" + json.dumps({"message": "odd \x1b[2J"}) + "\n\nnot json"
    server.replies = [version(), httpx.Response(200, text=lines)]
    code, stdout, stderr = mcpy("kes", "log")
    assert stdout == (
        "2026-11-23T12:39:43Z\t200\t3 ms\t127.0.0.1\tab\t/v1/key/create/k\n"
        "odd \\x1b[2J\nnot json\n"
    )
    assert code == 6
    assert stderr.splitlines() == [
        "mcpy: connected to kes.test:7373, waiting for audit events",
        "mcpy: error: kes.test:7373 ended the audit log",
    ]
    assert server.calls == ["GET /version", "GET /v1/log/audit"]


def test_an_error_log_in_json_is_passed_on_as_sent(mcpy: Mcpy, server: Server) -> None:
    server.replies = [version(), httpx.Response(200, text='{"message":"x"}\n')]
    result = mcpy("kes", "log", "--error", "--json")
    assert (result.exit_code, result.objects[0]) == (6, {"message": "x"})
    assert server.calls[1] == "GET /v1/log/error"


def test_a_log_ends_well_when_its_time_is_over(mcpy: Mcpy, server: Server) -> None:
    server.replies = [version(), httpx.ReadTimeout("silence")]
    assert mcpy("kes", "log", "--timeout", "5s") == (
        0,
        "",
        "mcpy: connected to kes.test:7373, waiting for audit events\nmcpy: stopped after 5 s\n",
    )


def test_a_denied_log_is_denied(mcpy: Mcpy, server: Server) -> None:
    server.replies = [version(), kes_error(403, "not authorized: insufficient permissions")]
    result = mcpy("kes", "log", "-q")
    assert result == (4, "", "mcpy: error: not authorized: insufficient permissions\n")


def test_a_log_line_without_end_is_refused(mcpy: Mcpy, server: Server) -> None:
    server.replies = [version(), httpx.Response(200, content=b"x" * (1024 * 1024 + 1))]
    result = mcpy("kes", "log", "-q")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "sent an event of more than 1048576 bytes" in result.stderr
