"""Faults on demand: what is asked for happens, to whom it is to happen, and no object is torn."""

from __future__ import annotations

import base64
import json
import re
import socket
import ssl
import threading
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest

from mcpy.api.http import HttpOptions
from mcpy.api.s3 import S3
from mcpy.errors import InputError
from mcpy.sandbox.faults import KINDS, Faults, parse
from mcpy.sandbox.message import Request, Response, empty_body
from mcpy.sandbox.play import Sandbox
from tests.likes import Play

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.sandbox

CONTENT = b"what is stored is whole or is not there. " * 20_000


# how they are written


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("busy", ("busy", 1, "", "s3", "", "", 1, None)),
        ("busy=7@GET:0.25", ("busy", 7, "", "s3", "GET", "", 0.25, None)),
        ("delay=200ms@/data/*", ("delay", 0.2, "", "s3", "", "/data/*", 1, None)),
        ("slow=2KiB", ("slow", 2048, "", "s3", "", "", 1, None)),
        ("reset@PUT/data/*:1x", ("reset", 0, "", "s3", "PUT", "/data/*", 1, 1)),
        ("close@kes", ("close", 0, "", "kes", "", "", 1, None)),
        ("hang@kes.POST/v1/key/*", ("hang", 0, "", "kes", "POST", "/v1/key/*", 1, None)),
        ("lost@kes/v1/status:20x", ("lost", 0, "", "kes", "", "/v1/status", 1, 20)),
        ("truncate", ("truncate", -1, "", "s3", "", "", 1, None)),
        ("key-lost=my-key", ("key-lost", 0, "my-key", "s3", "", "", 1, None)),
    ],
)
def test_a_fault_is_read(text: str, shown: tuple[object, ...]) -> None:
    fault = parse(text)
    found = (fault.name, fault.value, fault.key, fault.server, fault.method, fault.path)
    assert (*found, fault.share, fault.times) == shown
    assert fault.text == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("ghost", "`ghost` is no fault"),
        ("", "`` is no fault"),
        ("busy:", "does not say how often"),
        ("busy:2", "does not say how often"),
        ("busy:0", "does not say how often"),
        ("busy:0x", "does not say how often"),
        ("busy@", "does not say where"),
        ("busy@here", "does not say where"),
        ("busy=soon", "not a number of seconds"),
        ("slow=3ms", "not a number of bytes/s"),
        ("reset=1", "takes no value"),
        ("key-lost", "needs a name"),
        ("kes-down@kes", "takes no `@`"),
        ("key-lost=k:0.5", "takes no `@`"),
        ("full@kes", "a fault of the S3 server"),
        ("busy@PUTT", "`PUTT` is no method"),
    ],
)
def test_what_is_no_fault_is_refused(text: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        parse(text)


def test_faults_that_are_no_list_and_a_seed_that_is_no_number_are_refused() -> None:
    with pytest.raises(InputError, match="come in a list"):
        Faults("busy")
    with pytest.raises(InputError, match="whole number"):
        Faults(["busy"], seed="x")  # type: ignore[arg-type]


# whom they meet


def asked(method: str = "GET", path: str = "/", query: str = "") -> Request:
    return Request(method, path, query, {}, empty_body(), 0)


def met(faults: Faults, requests: list[Request], server: str = "s3") -> str:
    """Return ``x`` for each request that meets a fault, ``.`` for the others."""
    answers = (
        faults.around(server, request, lambda _: Response(), lambda _, s: Response(s))
        for request in requests
    )
    return "".join("." if answer.status == 200 else "x" for answer in answers)


def test_a_share_is_the_same_in_every_run_and_another_with_another_seed() -> None:
    requests = [asked() for _ in range(200)]
    first, second, third = (met(Faults(["busy:0.3"], seed=seed), requests) for seed in (1, 1, 2))
    assert first == second != third
    assert 35 < first.count("x") < 85


def test_a_count_ends_by_itself() -> None:
    faults = Faults(["busy:2x"])
    assert met(faults, [asked() for _ in range(4)]) == "xx.."
    assert faults.fired() == {"busy:2x": 2}


def test_only_what_matches_meets_a_fault() -> None:
    requests = [
        asked("GET", "/data/a"),
        asked("PUT", "/data/a"),
        asked("PUT", "/other/a"),
        asked("PUT", "/data", "encryption="),
    ]
    assert met(Faults(["busy@PUT"]), requests) == ".xxx"
    assert met(Faults(["busy@/data/*"]), requests) == "xx.."
    assert met(Faults(["busy@PUT/data/*"]), requests) == ".x.."
    assert met(Faults(["busy@/*[?]encryption=*"]), requests) == "...x"
    assert met(Faults(["full@/data*"]), requests) == ".x.x"
    assert met(Faults(["busy@kes"]), requests) == "...."
    assert met(Faults(["busy@kes"]), requests, server="kes") == "xxxx"


def test_the_first_fault_that_fires_is_the_one() -> None:
    faults = Faults(["busy:1x", "limited:1x"])
    assert met(faults, [asked() for _ in range(3)]) == "xx."
    assert faults.fired() == {"busy:1x": 1, "limited:1x": 1}


def test_faults_that_are_none_change_nothing() -> None:
    faults = Faults(["busy"])
    with pytest.raises(InputError):
        faults.replace(["limited", "ghost"])
    assert faults.texts == ["busy"]


# what they do


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def play(box: Sandbox, tmp_path: Path) -> Iterator[Play]:
    yield Play.of(box, tmp_path)
    box.faults.replace([])


@pytest.fixture
def kes(box: Sandbox) -> Iterator[httpx.Client]:
    """A client of the sandbox's KES, its administrator."""
    context = ssl.create_default_context(cafile=box.ca)
    context.load_cert_chain(box.client_cert, box.client_key)
    with httpx.Client(base_url=box.kes_url, verify=context) as client:
        yield client


@pytest.fixture
def control(box: Sandbox) -> Iterator[httpx.Client]:
    """A client of the control endpoint."""
    root = (box.access_key, box.secret_key)
    with httpx.Client(base_url=box.s3_url, auth=root) as client:
        yield client


def raw(box: Sandbox, request: bytes = b"") -> tuple[bytes, str]:
    """Return all that comes back for a GET, and how the connection ended."""
    url = urlsplit(box.s3_url)
    with socket.create_connection((url.hostname, url.port), timeout=5) as connection:
        connection.sendall(request or b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        found = b""
        try:
            while data := connection.recv(65_536):
                found += data
        except ConnectionResetError:
            return found, "reset"
        return found, "end"


def length_of(answer: bytes) -> tuple[int, int]:
    """Return how long the body was to be, and how long it was."""
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().lower().splitlines()
    told = next(line for line in lines if line.startswith("content-length: "))
    return int(told.split()[1]), len(body)


@pytest.mark.parametrize(
    ("fault", "begin", "end"),
    [
        ("close", b"", "end"),
        ("reset", b"", "reset"),
        ("lost", b"", "reset"),
        ("garbage", b"SSH-2.0-", "end"),
        ("broken", b"HTTP/1.1 500 ", "end"),
        ("forbidden", b"HTTP/1.1 403 ", "end"),
        ("emptybody", b"HTTP/1.1 200 ", "end"),
        ("emptyjson", b"HTTP/1.1 200 ", "end"),
        ("redirect", b"HTTP/1.1 307 ", "end"),
        ("hugeheader", b"HTTP/1.1 200 OK\r\nX-Big: xxx", "end"),
        ("busy=9", b"HTTP/1.1 503 ", "end"),
        ("limited=9", b"HTTP/1.1 429 ", "end"),
        ("delay=10ms", b"HTTP/1.1 403 ", "end"),
        ("slow=1MiB", b"HTTP/1.1 403 ", "end"),
    ],
)
def test_an_answer_becomes(play: Play, fault: str, begin: bytes, end: str) -> None:
    play.sandbox.faults.replace([fault])
    answer, ended = raw(play.sandbox)
    assert answer.startswith(begin)
    assert bool(begin) == bool(answer)
    assert ended == end
    assert (b"Retry-After: 9\r\n" in answer) == fault.endswith("=9")
    assert play.sandbox.faults.fired() == {fault: 1}


@pytest.mark.parametrize(("fault", "end"), [("truncate=100", "end"), ("reset-mid=100", "reset")])
def test_an_answer_breaks_off(play: Play, fault: str, end: str) -> None:
    play.sandbox.faults.replace([fault])
    answer, ended = raw(play.sandbox)
    told, came = length_of(answer)
    assert (came, ended) == (100, end)
    assert told > 200


def test_half_an_answer_says_that_it_is_whole(play: Play) -> None:
    whole, _ = raw(play.sandbox)
    play.sandbox.faults.replace(["badbody"])
    told, came = length_of(raw(play.sandbox)[0])
    assert told == came == length_of(whole)[0] // 2


def test_a_large_object_breaks_off_where_it_is_said(play: Play) -> None:
    mcpy = play.mcpy
    assert mcpy("mb", "--ignore-existing", "play/open").exit_code == 0
    large = CONTENT * 4  # streamed, in parts of 1 MiB
    assert mcpy("cp", str(play.file("large", large)), "play/open/large").exit_code == 0
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": "*",
                "Action": ["s3:GetObject"],
                "Resource": ["arn:aws:s3:::open/*"],
            }
        ],
    }
    s3 = S3(play.sandbox.alias(), HttpOptions())
    s3.call("PUT", "/open", query=[("policy", "")], content=json.dumps(policy).encode())
    s3.http.close()
    request = b"GET /open/large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    play.sandbox.faults.replace(["truncate=2MiB"])
    told, came = length_of(raw(play.sandbox, request)[0])
    assert (told, came) == (len(large), 2 << 20)
    play.sandbox.faults.replace(["slow=100MiB", "busy"])
    assert raw(play.sandbox, request)[0].endswith(large[-100:])
    for fault, end in (("lost", "reset"), ("badbody", "end")):
        play.sandbox.faults.replace([fault])
        answer, ended = raw(play.sandbox, request)
        assert ended == end
        assert len(answer) < len(large) * 0.6
    play.sandbox.faults.replace(["truncate"])
    head = request.replace(b"GET", b"HEAD")
    assert raw(play.sandbox, head) == (b"", "end")


@pytest.mark.parametrize(
    ("like", "fault", "expected"),
    [
        ("aws", "busy", (503, "SlowDown")),
        ("aws", "limited", (429, "TooManyRequests")),
        ("seaweedfs", "full", (500, "InternalError")),
        ("minio", "full", (507, "XMinioStorageFull")),
    ],
)
def test_refusals_are_in_the_words_of_the_server(
    like: str, fault: str, expected: tuple[int, str]
) -> None:
    with Sandbox(like=like, faults=[fault]) as box:
        answer = httpx.put(f"{box.s3_url}/data/o", content=b"x")
        found = re.search("<Code>([^<]*)", answer.text)
        assert (answer.status_code, found and found[1]) == expected
        assert ("retry-after" in answer.headers) == (fault != "full")


def test_a_listing_does_not_end(play: Play) -> None:
    play.sandbox.faults.replace(["huge"])
    with httpx.stream("GET", play.sandbox.s3_url) as answer:
        parts = answer.iter_raw(1 << 20)
        assert sum(len(next(parts)) for _ in range(8)) == 8 << 20


def test_what_hangs_is_let_go_when_the_faults_change(play: Play) -> None:
    play.sandbox.faults.replace(["hang"])
    answers: list[tuple[bytes, str]] = []
    asking = threading.Thread(target=lambda: answers.append(raw(play.sandbox)))
    asking.start()
    while not play.sandbox.faults.fired()["hang"]:
        asking.join(0.005)
    assert not answers
    play.sandbox.faults.replace([])
    asking.join(5)
    assert answers == [(b"", "end")]


def test_a_sandbox_stops_while_requests_hang(tmp_path: Path) -> None:
    with Sandbox(tmp_path / "box", faults=["hang"]) as box:
        asking = threading.Thread(target=raw, args=(box,))
        asking.start()
        while not box.faults.fired()["hang"]:
            asking.join(0.005)
    asking.join(5)
    assert not asking.is_alive()


# what they leave behind


@pytest.mark.parametrize("fault", ["reset@PUT/data/o", "cut=100KiB@PUT/data/o", "full@PUT/data/o"])
def test_an_upload_that_failed_leaves_the_old_object_and_nothing_else(
    play: Play, fault: str
) -> None:
    mcpy, data = play.mcpy, play.sandbox.home.data
    assert mcpy("mb", "--ignore-existing", "play/data").exit_code == 0
    assert mcpy("cp", str(play.file("old", CONTENT)), "play/data/o").exit_code == 0
    files = sorted(data.rglob("*"))
    play.sandbox.faults.replace([fault])
    new = play.file("new", CONTENT[::-1])
    code, _, stderr = mcpy("--retries", "0", "cp", str(new), "play/data/o")
    assert (code in {1, 6, 8}, "Traceback" in stderr) == (True, False)
    assert play.sandbox.faults.fired()[fault] > 0
    play.sandbox.faults.replace([])
    assert mcpy("cat", "play/data/o").stdout.encode() == CONTENT
    assert sorted(data.rglob("*")) == files


def test_an_upload_whose_answer_is_lost_is_done(play: Play) -> None:
    mcpy = play.mcpy
    assert mcpy("mb", "--ignore-existing", "play/data").exit_code == 0
    play.sandbox.faults.replace(["lost@PUT/data/l:1x"])
    code, _, _ = mcpy("--retries", "0", "cp", str(play.file("l", CONTENT)), "play/data/l")
    assert code != 0
    assert mcpy("cat", "play/data/l").stdout.encode() == CONTENT


def test_a_download_that_broke_off_is_no_file(play: Play) -> None:
    mcpy = play.mcpy
    assert mcpy("mb", "--ignore-existing", "play/data").exit_code == 0
    assert mcpy("cp", str(play.file("d", CONTENT)), "play/data/d").exit_code == 0
    play.sandbox.faults.replace(["truncate=200KiB@GET/data/d"])
    there = play.folder / "there"
    assert mcpy("--retries", "0", "cp", "play/data/d", str(there)).exit_code != 0
    assert not there.exists()
    play.sandbox.faults.replace(["truncate=200KiB@GET/data/d:1x"])
    mcpy("cp", "play/data/d", str(there))
    assert not there.exists() or there.read_bytes() == CONTENT


def test_a_busy_server_is_waited_for(play: Play) -> None:
    play.sandbox.faults.replace(["busy=0@GET:2x"])
    assert play.mcpy("ls", "play/").exit_code == 0
    assert play.sandbox.faults.fired() == {"busy=0@GET:2x": 2}


# keys


def test_a_lost_key_is_gone_for_all_and_comes_back(play: Play, kes: httpx.Client) -> None:
    for name in ("kept", "gone"):
        kes.put(f"/v1/key/create/{name}")
    play.sandbox.faults.replace(["key-lost=gone"])
    refused = kes.get("/v1/key/describe/gone")
    assert (refused.status_code, refused.json()) == (404, {"message": "key does not exist"})
    assert kes.post("/v1/key/generate/gone", json={}).status_code == 404
    assert kes.get("/v1/key/describe/kept").status_code == 200
    assert "gone" not in kes.get("/v1/key/list/*").json()["names"]
    assert "kept" in kes.get("/v1/key/list/*").json()["names"]
    play.sandbox.faults.replace([])
    assert kes.get("/v1/key/describe/gone").status_code == 200


def test_a_kes_that_is_down_does_not_listen_and_comes_back_with_its_keys(
    play: Play, kes: httpx.Client
) -> None:
    kes.put("/v1/key/create/stays")
    play.sandbox.faults.replace(["kes-down"])
    with pytest.raises(httpx.TransportError):
        kes.get("/v1/status")
    with pytest.raises(httpx.ConnectError):
        kes.get("/v1/status")
    assert raw(play.sandbox)[0].startswith(b"HTTP/1.1 403 ")
    play.sandbox.faults.replace([])
    assert kes.get("/v1/key/describe/stays").status_code == 200


def test_a_busy_kes_answers_as_one(play: Play, kes: httpx.Client) -> None:
    play.sandbox.faults.replace(["busy=3@kes/v1/status"])
    answer = kes.get("/v1/status")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "3")
    assert answer.json() == {"message": "service unavailable"}
    assert kes.get("/v1/api").status_code == 200


# switching them


def test_they_are_switched_at_run_time(play: Play, control: httpx.Client) -> None:
    box = play.sandbox
    put = control.put("/_sandbox/faults", json=["busy:1x"])
    expected = {"faults": ["busy:1x"], "fired": {"busy:1x": 0}, "seed": 0}
    assert (put.status_code, put.json()) == (200, expected)
    assert raw(box)[0].startswith(b"HTTP/1.1 503 ")
    assert control.get("/_sandbox/faults").json()["fired"] == {"busy:1x": 1}
    assert control.put("/_sandbox/faults", json={"faults": ["close"]}).status_code == 200
    assert raw(box) == (b"", "end")
    assert control.delete("/_sandbox/faults").json()["faults"] == []
    assert raw(box)[0].startswith(b"HTTP/1.1 403 ")


def test_nobody_else_switches_them(play: Play) -> None:
    url = f"{play.sandbox.s3_url}/_sandbox/faults"
    user = play.sandbox.access_key
    assert httpx.put(url, json=["busy"]).status_code == 401
    assert httpx.put(url, json=["busy"], auth=(user, "wrong")).status_code == 401
    assert httpx.put(url, json=["busy"], auth=("", "")).status_code == 401
    assert httpx.get(url, headers={"authorization": "Basic %%%"}).status_code == 401
    latin = base64.b64encode(b"\xff\xfe").decode()
    assert httpx.get(url, headers={"authorization": f"Basic {latin}"}).status_code == 401
    assert play.sandbox.faults.texts == []


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b'["ghost"]', b'"busy"', b"\xff"])
def test_what_is_no_list_of_faults_changes_nothing(
    play: Play, control: httpx.Client, body: bytes
) -> None:
    play.sandbox.faults.replace(["delay=1ms"])
    answer = control.put("/_sandbox/faults", content=body)
    assert answer.status_code == 400
    assert answer.json()["message"]
    assert play.sandbox.faults.texts == ["delay=1ms"]
    assert control.post("/_sandbox/faults").status_code == 405


def test_every_kind_is_documented() -> None:
    assert all(kind.about for kind in KINDS.values())
    assert json.dumps(sorted(KINDS))  # names are words
