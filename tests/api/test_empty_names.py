"""No call with an empty name, or a path for a bucket, is sent: it would be another call."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import mcpy
from mcpy.api.deletes import delete_objects
from mcpy.api.multipart import MultipartUpload, list_uploads
from mcpy.api.parts import part_sizes
from mcpy.errors import InputError
from tests.in_process import ACCESS, SECRET, Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mcpy.api.s3 import S3
    from mcpy.client import Client

NO_NAME = "the name of an object in `bbb` is empty"
NO_BUCKET = "the name of a bucket is empty"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Server]:
    """A server with an empty bucket, which a call to it would delete."""
    made = Server(tmp_path / "s3")
    made.client().make_bucket("bbb")
    made.calls.clear()
    yield made
    made.store.close()


@pytest.mark.parametrize(("bucket", "said"), [("bbb", NO_NAME), ("", NO_BUCKET)])
@pytest.mark.parametrize(
    "call",
    [
        lambda s3, bucket: s3.delete_object(bucket, ""),
        lambda s3, bucket: s3.put_object(bucket, "", b""),
        lambda s3, bucket: s3.head_object(bucket, ""),
        lambda s3, bucket: s3.get_object(bucket, "").__enter__(),
        lambda s3, bucket: s3.object_tags(bucket, ""),
        lambda s3, bucket: s3.copy_object((bucket, ""), ("bbb", "o"), headers={}),
        lambda s3, bucket: s3.copy_object(("bbb", "o"), (bucket, ""), headers={}),
        lambda s3, bucket: list(delete_objects(s3, bucket, [("o", ""), ("", "")])),
        lambda s3, bucket: MultipartUpload.start(s3, bucket, "", headers={}, customer={}),
        lambda s3, bucket: MultipartUpload(s3, bucket, "", "id", {}),
        lambda s3, bucket: part_sizes(s3, bucket, ""),
    ],
    ids=range(11),
)
def test_a_call_to_an_object_is_never_one_to_its_bucket(
    world: Server, call: Callable[[S3, str], object], bucket: str, said: str
) -> None:
    with pytest.raises(InputError, match=f"^{said}$"):
        call(world.client(), bucket)
    assert world.calls == []


@pytest.mark.parametrize("bucket", ["", "bbb/sub", ".", ".."])
@pytest.mark.parametrize(
    "call",
    [
        lambda s3, bucket: s3.make_bucket(bucket),
        lambda s3, bucket: s3.remove_bucket(bucket),
        lambda s3, bucket: s3.bucket_exists(bucket),
        lambda s3, bucket: s3.get_bucket_encryption(bucket),
        lambda s3, bucket: s3.put_bucket_policy(bucket, ""),
        lambda s3, bucket: s3.versioning(bucket),
        lambda s3, bucket: list(s3.list_objects(bucket)),
        lambda s3, bucket: list(s3.list_versions(bucket)),
        lambda s3, bucket: list(list_uploads(s3, bucket, "")),
        lambda s3, bucket: s3.put_object(bucket, "o", b""),
    ],
    ids=range(10),
)
def test_a_call_to_a_bucket_is_never_one_to_the_server_or_to_an_object(
    world: Server, call: Callable[[S3, str], object], bucket: str
) -> None:
    with pytest.raises(InputError, match="bucket"):
        call(world.client(), bucket)
    assert world.calls == []


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.upload(b"", "new", ""),
        lambda client: client.upload(b"x", "bbb/sub", "o"),
        lambda client: client.read("bbb", ""),
        lambda client: client.stat("bbb", ""),
        lambda client: client.copy(("bbb", ""), ("bbb", "o")),
        lambda client: client.make_bucket(""),
        lambda client: client.encryption(""),
        lambda client: client.set_encryption("", "sse-s3"),
        lambda client: list(client.inventory("")),
    ],
    ids=range(9),
)
def test_the_library_refuses_them_too(world: Server, call: Callable[[Client], object]) -> None:
    with (
        mcpy.connect(world.alias.url, ACCESS, SECRET, transport=world) as client,
        pytest.raises(InputError, match=r"empty|bucket"),
    ):
        call(client)
    assert world.calls == []


def test_a_download_of_no_object_makes_no_file(world: Server, tmp_path: Path) -> None:
    with (
        mcpy.connect(world.alias.url, ACCESS, SECRET, transport=world) as client,
        pytest.raises(InputError, match=NO_NAME),
    ):
        client.download("bbb", "", tmp_path / "file")
    assert world.calls == []
    assert [path.name for path in tmp_path.iterdir()] == ["s3"]


def test_a_key_may_begin_with_a_dot_and_end_with_a_slash(world: Server) -> None:
    s3 = world.client()
    for key in (".a", "a/"):
        s3.put_object("bbb", key, b"x")
        assert s3.head_object("bbb", key).size == 1
