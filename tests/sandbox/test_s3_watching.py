"""Live notifications: who listens hears what happens, and nothing else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.s3_calls import S3, Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "data")
    server("PUT", "/bkt")
    server("PUT", "/other")
    yield server
    server.close()


class Listener:
    """Somebody who listens; what was heard is read when it is asked for."""

    def __init__(self, s3: Server, query: str, bucket: str = "/bkt") -> None:
        response = s3.app(s3.signed_request("GET", bucket, query))
        assert response.status == 200
        self.stream: Any = response.body
        self.parts: Any = iter(self.stream)
        assert next(self.parts) == b""

    def hear(self) -> dict[str, Any]:
        records = json.loads(next(self.parts))["Records"]
        assert len(records) == 1
        return dict(records[0])


def test_a_listener_hears_what_it_asked_for(s3: Server) -> None:
    query = "events=s3:ObjectCreated:*&events=s3:ObjectRemoved:*&prefix=in/&suffix=.jpg"
    listener = Listener(s3, query)
    s3("PUT", "/bkt/in/a b.jpg", headers={**S3, "x-amz-meta-k": "v"}, body=b"123")
    s3("PUT", "/bkt/in/a.png")
    s3("PUT", "/bkt/a.jpg")
    s3("PUT", "/other/in/a.jpg")
    s3("GET", "/bkt/in/a b.jpg")
    s3("DELETE", "/bkt/in/a b.jpg")
    created, removed = listener.hear(), listener.hear()
    assert created["eventName"] == "s3:ObjectCreated:Put"
    thing = created["s3"]["object"]
    assert (thing["key"], thing["size"]) == ("in/a+b.jpg", 3)
    assert thing["userMetadata"]["X-Amz-Meta-K"] == "v"
    assert thing["eTag"] == "202cb962ac59075b964b07152d234b70"
    assert created["s3"]["bucket"]["name"] == "bkt"
    assert removed["eventName"] == "s3:ObjectRemoved:Delete"
    assert listener.stream._watch.waiting.empty()
    listener.stream.close()
    assert not s3.app.watchers


def test_everything_that_happens_has_a_name(s3: Server) -> None:
    s3.enable_versioning("/bkt")
    names = ("ObjectCreated", "ObjectRemoved", "BucketCreated")
    listener = Listener(s3, "&".join(f"events=s3:{name}:*" for name in names), "/")
    s3("PUT", "/bkt/k", body=b"x")
    s3("PUT", "/bkt/k2", headers={"x-amz-copy-source": "/bkt/k"})
    s3("PUT", "/bkt/k", "tagging=", body="<Tagging><TagSet/></Tagging>")
    s3.delete_many("/bkt", "<Object><Key>k</Key></Object>")
    s3("PUT", "/new")
    heard = [listener.hear()["eventName"] for _ in range(5)]
    assert heard == [
        "s3:ObjectCreated:Put",
        "s3:ObjectCreated:Copy",
        "s3:ObjectCreated:PutTagging",
        "s3:ObjectRemoved:DeleteMarkerCreated",
        "s3:BucketCreated:*",
    ]


def test_a_listener_that_hears_nothing_is_pinged(s3: Server) -> None:
    listener = Listener(s3, "events=s3:ObjectCreated:*")
    assert [next(listener.parts), next(listener.parts)] == [b" ", b""]


@pytest.mark.parametrize(
    "query", ["events=bad", "events=s3:Object", "events=s3:ObjectCreated:*&ping=0"]
)
def test_what_cannot_be_heard_is_refused(s3: Server, query: str) -> None:
    assert s3("GET", "/bkt", query).status == 400
    assert s3("GET", "/nope", "events=s3:ObjectCreated:*").code == "NoSuchBucket"
