"""Several targets and aliases in one call: some at a time, told in order, each reported."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import httpx
import pytest

from mcpy.models import Alias
from tests.recordings import minio
from tests.running import ACCESS_KEY, SECRET_KEY
from tests.stub import ETAG, Answering, Reply, ok, s3_error, xml

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.running import Mcpy
    from tests.stub import Server

KMS_OK = minio("kms-key-status-default")
KMS_DOWN = minio("kesdown-key-status")


@pytest.fixture
def two(mcpy: Mcpy) -> Mcpy:
    """A second deployment, `other`, beside `play`."""
    mcpy.store.put(Alias("other", "http://other.test:9000", ACCESS_KEY, SECRET_KEY))
    return mcpy


def by_host(play: Reply, other: Reply) -> Callable[[httpx.Request], httpx.Response]:
    """Answer each of the two deployments in its own way."""

    def answer(request: httpx.Request) -> httpx.Response:
        reply = other if request.url.host == "other.test" else play
        if isinstance(reply, Exception):
            raise reply
        return reply if isinstance(reply, httpx.Response) else reply(request)

    return answer


def page(*keys: str, more: str = "") -> httpx.Response:
    found = "".join(f"<Contents><Key>{key}</Key><Size>1</Size></Contents>" for key in keys)
    token = f"<NextContinuationToken>{more}</NextContinuationToken>" if more else ""
    cut = f"<IsTruncated>{'true' if more else 'false'}</IsTruncated>"
    return xml(200, f"<ListBucketResult>{cut}{token}{found}</ListBucketResult>")


def names(stdout: str) -> list[str]:
    return [line.split()[-1] for line in stdout.splitlines() if line]


def meeting(count: int, answer: httpx.Response) -> Callable[[httpx.Request], httpx.Response]:
    """Answer only when ``count`` requests wait at the same time."""
    barrier = threading.Barrier(count, timeout=10)

    def reply(_: httpx.Request) -> httpx.Response:
        barrier.wait()
        return answer

    return reply


def test_prefixes_are_listed_at_a_time_and_told_in_order(mcpy: Mcpy, server: Server) -> None:
    first = threading.Event()

    def slow(_: httpx.Request) -> httpx.Response:
        assert first.wait(10)
        return page("a/1")

    def quick(_: httpx.Request) -> httpx.Response:
        first.set()
        return page("b/1")

    server.afterwards = Answering({"GET /xxx?": slow, "GET /yyy?": quick})
    result = mcpy("ls", "--jobs", "2", "play/xxx", "play/yyy")
    assert (result.exit_code, names(result.stdout), result.stderr) == (0, ["a/1", "b/1"], "")


def test_a_listing_that_ends_early_keeps_what_came_before(mcpy: Mcpy, server: Server) -> None:
    def x(request: httpx.Request) -> httpx.Response:
        gone = "continuation-token" in str(request.url)
        return s3_error(403, "AccessDenied") if gone else page("one", more="t")

    server.afterwards = Answering({"GET /xxx?": x, "GET /yyy?": page("two")})
    result = mcpy("ls", "--jobs", "2", "play/xxx", "play/yyy", "--summarize")
    assert result.exit_code == 8
    assert names(result.stdout) == ["one", "two", "objects"]
    assert result.stderr.splitlines()[0] == (
        "mcpy: error: AccessDenied: no (s3:ListBucket is needed)"
    )
    assert result.stderr.splitlines()[-1] == "mcpy: error: 1 of 2 failed"


def test_a_long_listing_goes_on_when_its_turn_comes(mcpy: Mcpy, server: Server) -> None:
    many = [f"k{number:04}" for number in range(1000)]

    def x(request: httpx.Request) -> httpx.Response:
        second = "continuation-token" in str(request.url)
        return page("last") if second else page(*many, more="t")

    server.afterwards = Answering({"GET /xxx?": x, "GET /yyy?": page("y")})
    result = mcpy("ls", "--jobs", "2", "play/yyy", "play/xxx")
    assert names(result.stdout) == ["y", *many, "last"]


def test_objects_go_some_at_a_time_and_each_is_told(mcpy: Mcpy, server: Server) -> None:
    head = ok(last_modified="Mon, 23 Nov 2026 12:00:00 GMT", etag='"e"')
    together = meeting(2, head)
    server.afterwards = Answering(
        {
            "HEAD /bbb/1": together,
            "HEAD /bbb/2": together,
            "HEAD /bbb/3": s3_error(404, "NoSuchKey"),
            "DELETE /bbb": httpx.Response(204),
        }
    )
    assert mcpy("rm", "--jobs", "2", "play/bbb/1", "play/bbb/3", "play/bbb/2") == (
        8,
        "Removed `play/bbb/1`.\nRemoved `play/bbb/2`.\n",
        "mcpy: error: `play/bbb/3` is not there\nmcpy: error: 1 of 3 failed\n",
    )


def test_a_denied_target_does_not_keep_the_others(mcpy: Mcpy, server: Server) -> None:
    head = ok(last_modified="Mon, 23 Nov 2026 12:00:00 GMT", etag='"e"')
    server.afterwards = Answering(
        {
            "HEAD /bbb/1": httpx.Response(403),
            "HEAD /bbb/2": head,
            "DELETE /bbb/2": httpx.Response(204),
        }
    )
    result = mcpy("rm", "play/bbb/1", "play/bbb/2")
    assert (result.exit_code, result.stdout) == (8, "Removed `play/bbb/2`.\n")
    assert result.stderr.endswith("mcpy: error: 1 of 2 failed\n")


def test_cat_goes_on_after_an_object_that_is_not_there(mcpy: Mcpy, server: Server) -> None:
    gone = s3_error(404, "NoSuchKey", "gone")
    server.replies = [gone, httpx.Response(200, headers=ETAG, content=b"2")]
    result = mcpy("cat", "play/mix/a", "play/mix/b")
    assert (result.exit_code, result.stdout) == (8, "2")
    assert result.stderr == "mcpy: error: NoSuchKey: gone\nmcpy: error: 1 of 2 failed\n"


def test_nothing_is_written_behind_an_object_that_breaks_off(mcpy: Mcpy, server: Server) -> None:
    cut = httpx.Response(200, headers={"content-length": "5", "etag": '"e"'}, content=b"1")
    server.replies = [cut]
    server.afterwards = httpx.Response(412)
    result = mcpy("cat", "--retries", "0", "play/mix/a", "play/mix/b")
    assert (result.exit_code != 0, result.stdout) == (True, "1")
    assert not [call for call in server.calls if call.startswith("GET /mix/b")]


def test_one_object_of_every_bucket_goes_to_stdout(mcpy: Mcpy, server: Server) -> None:
    listed = "".join(f"<Bucket><Name>{name}</Name></Bucket>" for name in ("app-1", "app-2"))
    buckets = f"<ListAllMyBucketsResult><Buckets>{listed}</Buckets></ListAllMyBucketsResult>"
    server.replies = [
        xml(200, buckets),
        httpx.Response(200, headers=ETAG, content=b"1"),
        httpx.Response(200, headers=ETAG, content=b"2"),
    ]
    assert mcpy("cat", "play/app-*/VERSION") == (0, "12", "")
    assert server.calls[1:] == ["GET /app-1/VERSION", "GET /app-2/VERSION"]


def test_a_pattern_without_an_object_is_a_usage_error(mcpy: Mcpy, server: Server) -> None:
    result = mcpy("cat", "play/app-*")
    assert (result.exit_code, result.stdout, server.calls) == (2, "", [])
    assert "`play/app-*` names no object" in result.stderr


def test_the_keys_of_two_servers_are_tried_and_each_is_told(two: Mcpy, server: Server) -> None:
    server.afterwards = by_host(KMS_OK, KMS_DOWN)
    result = two("admin", "kms", "key", "status", "play", "other/")
    assert result.exit_code == 8
    heads = [line for line in result.stdout.splitlines() if line.startswith("Key: ")]
    assert [
        head.endswith(f" of `{name}`") for head, name in zip(heads, ("play", "other"), strict=True)
    ] == [True, True]
    assert "mcpy kms status other" in result.stderr.replace("admin ", "")
    assert result.stderr.endswith("mcpy: error: 1 of 2 failed\n")


def test_a_second_name_without_a_slash_is_a_key(two: Mcpy, server: Server) -> None:
    server.afterwards = by_host(minio("kms-key-status-ok"), minio("kms-key-status-ok"))
    result = two(
        "--json", "admin", "kms", "key", "status", "--jobs", "1", "play", "other/", "my-key"
    )
    assert (result.exit_code, [one["target"] for one in result.objects]) == (0, ["play", "other"])
    assert server.calls == ["GET /minio/kms/v1/key/status?key-id=my-key"] * 2
    (alone,) = two("--json", "admin", "kms", "key", "status", "play", "my-key").objects
    assert "target" not in alone


def test_the_keys_of_two_servers_are_listed(two: Mcpy, server: Server) -> None:
    one = httpx.Response(200, json=[{"name": "k1"}])
    server.afterwards = by_host(one, httpx.Response(403, json={"Code": "AccessDenied"}))
    result = two("--json", "admin", "kms", "key", "list", "play", "other")
    assert result.exit_code == 8
    assert [found["status"] for found in result.objects] == ["success", "error", "error"]
    assert result.objects[0]["keys"] == ["k1"]


def test_text_says_which_server_each_answer_is_of(two: Mcpy, server: Server) -> None:
    server.afterwards = by_host(*(httpx.Response(200, json=[{"name": n}]) for n in ("k1", "k2")))
    assert two("admin", "kms", "key", "list", "play", "other") == (0, "play\tk1\nother\tk2\n", "")
    endpoints = {"https://kes.test:7373": "online"}
    kms = httpx.Response(200, json={"name": "KES", "endpoints": endpoints})
    server.afterwards = by_host(kms, kms)
    shown = two("admin", "kms", "status", "play", "other").stdout.splitlines()
    assert shown[::3] == ["KMS of `play`: KES", "KMS of `other`: KES"]


def test_an_endpoint_that_is_down_fails_its_server_alone(two: Mcpy, server: Server) -> None:
    def kms(state: str) -> httpx.Response:
        endpoints = {"https://kes.test:7373": state}
        return httpx.Response(200, json={"name": "KES", "endpoints": endpoints})

    server.afterwards = by_host(kms("offline"), kms("online"))
    result = two("--json", "admin", "kms", "status", "play", "other")
    assert result.exit_code == 8
    kinds = [(found.get("target"), found["status"]) for found in result.objects]
    assert kinds == [("play", "error"), (None, "error"), ("other", "success"), (None, "error")]


def node(uptime: int) -> httpx.Response:
    servers = [{"endpoint": "node0:9000", "state": "online", "uptime": uptime}]
    return httpx.Response(200, json={"mode": "online", "servers": servers})


class Restartable:
    """A deployment that is a new process once it was asked to restart, unless it ``stays``."""

    def __init__(self, asked: list[str], *, stays: bool = False, kms: Reply = KMS_OK) -> None:
        self.asked, self.stays, self.kms, self.restarted = asked, stays, kms, False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path.endswith("/service"):
            self.asked.append(request.url.host)
            self.restarted = not self.stays
            return minio("service-v2-restart")
        if path.endswith("/info"):
            return node(0 if self.restarted else 60)
        if path.endswith("/key/status"):
            assert isinstance(self.kms, httpx.Response)
            return self.kms
        return minio("after-unfreeze-list" if path == "/" else "health-cluster")


def test_one_deployment_is_restarted_after_the_other(two: Mcpy, server: Server) -> None:
    asked: list[str] = []
    server.afterwards = by_host(Restartable(asked), Restartable(asked))
    result = two("admin", "service", "restart", "other", "play")
    assert (result.exit_code, asked) == (0, ["other.test", "s3.test"])
    heads = [line.split(":")[0] for line in result.stdout.splitlines() if line[0] != " "]
    assert heads == ["Restarted `other`", "Restarted `play`"]


def test_after_one_that_did_not_come_back_no_other_is_restarted(two: Mcpy, server: Server) -> None:
    asked: list[str] = []
    server.afterwards = by_host(Restartable(asked, stays=True), Restartable(asked))
    result = two("admin", "service", "restart", "--timeout", "300ms", "play", "other")
    assert (result.exit_code, result.stdout, asked) == (1, "", ["s3.test"])
    assert "`other` was not restarted, since `play` did not come back" in result.stderr
    assert "mcpy: hint: mcpy admin service restart other" in result.stderr
    assert result.stderr.endswith("mcpy: error: all 2 failed\n")


def test_one_that_was_refused_does_not_keep_the_others(two: Mcpy, server: Server) -> None:
    asked: list[str] = []
    server.afterwards = by_host(Restartable(asked, kms=KMS_DOWN), Restartable(asked))
    result = two("admin", "service", "restart", "play", "other")
    assert (result.exit_code, asked) == (8, ["other.test"])
    assert "a restart would end s3.test:9000" in result.stderr
    assert result.stdout.startswith("Restarted `other`")


def test_two_deployments_are_frozen_and_each_is_told(two: Mcpy, server: Server) -> None:
    def freezing(request: httpx.Request) -> httpx.Response:
        if request.url.path != "/":
            return minio("service-v2-freeze")
        if request.url.host == "s3.test":
            return minio("after-unfreeze-list")
        raise httpx.ReadTimeout("silent")

    server.afterwards = freezing
    result = two("admin", "service", "freeze", "play", "other")
    assert (result.exit_code, result.stdout) == (8, "Froze `other`.\n")
    assert "`play` took the freeze, but S3 still answers" in result.stderr
    assert "mcpy: S3 calls to `other` hang now until: mcpy admin service unfreeze other" in (
        result.stderr
    )


def test_one_that_still_hangs_fails_alone(two: Mcpy, server: Server) -> None:
    def thawing(request: httpx.Request) -> httpx.Response:
        if request.url.path != "/":
            return minio("service-v2-unfreeze")
        if request.url.host == "s3.test":
            raise httpx.ReadTimeout("silent")
        return minio("after-unfreeze-list")

    server.afterwards = thawing
    result = two("admin", "service", "unfreeze", "--jobs", "2", "play", "other")
    assert (result.exit_code, result.stdout) == (8, "Unfroze `other`.\n")
    assert "mcpy: hint: mcpy admin service unfreeze play\n" in result.stderr


def test_each_deployment_has_the_whole_timeout(two: Mcpy, server: Server) -> None:
    """The first one takes all of it: the second is stopped in spite of that."""
    gone: set[str] = set()

    def stopping(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/service"):
            gone.add(request.url.host)
            return minio("service-v2-stop")
        if request.url.host in gone - {"s3.test"}:
            raise httpx.ConnectError("refused")
        return node(60)

    server.afterwards = stopping
    result = two("admin", "service", "stop", "--timeout", "600ms", "play", "other")
    assert (result.exit_code, result.stdout) == (8, "Stopped `other`.\n")
    assert "s3.test:9000 was asked to stop, and still answers" in result.stderr


def test_an_offline_deployment_fails_alone(two: Mcpy, server: Server) -> None:
    off = httpx.Response(200, json={"mode": "offline", "servers": []})
    server.afterwards = by_host(off, node(60))
    result = two("--json", "admin", "info", "play", "other")
    assert result.exit_code == 8
    assert [found["status"] for found in result.objects] == [
        "success",
        "error",
        "success",
        "error",
    ]


def test_a_version_of_one_object_is_explained_alone(mcpy: Mcpy, server: Server) -> None:
    result = mcpy("encrypt", "explain", "--version-id", "v", "play/bbb/1", "play/bbb/2")
    assert (result.exit_code, result.stdout, server.calls) == (2, "", [])


def test_every_bucket_is_explained(mcpy: Mcpy, server: Server) -> None:
    listed = "".join(f"<Bucket><Name>{name}</Name></Bucket>" for name in ("app-1", "app-2"))
    buckets = f"<ListAllMyBucketsResult><Buckets>{listed}</Buckets></ListAllMyBucketsResult>"
    none = s3_error(404, "ServerSideEncryptionConfigurationNotFoundError")
    server.afterwards = Answering(
        {
            "GET / ": xml(200, buckets),
            "GET /": xml(200, buckets),
            "GET /app": none,
            "GET /minio": KMS_OK,
        }
    )
    result = mcpy("--json", "encrypt", "explain", "play/app-*")
    assert [one["status"] for one in result.objects] == ["success", "success"]
