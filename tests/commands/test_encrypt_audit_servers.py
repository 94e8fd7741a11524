"""Audit, impact and explain on servers that are not MinIO, as the sandbox plays them."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from mcpy.api.http import Deadline, HttpOptions
from mcpy.api.s3 import S3
from mcpy.api.s3info import customer_headers
from mcpy.errors import McpyError
from mcpy.models import CustomerKey
from mcpy.sandbox.play import Sandbox
from tests.likes import Play
from tests.s3_calls import S3 as SSE_S3
from tests.s3_calls import kms_with

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.sandbox

SSE_C = customer_headers(CustomerKey(b"K" * 32))
UPLOADS = {"c": SSE_C, "kms": kms_with("my-key"), "plain": {}, "s3": SSE_S3}
# what each says of them afterwards; several take an upload and store it otherwise
SAID = {
    "ceph": {"kms": "sse-kms", "plain": "plain"},
    "garage": {"kms": "plain", "plain": "plain", "s3": "plain"},
    "rustfs": {"plain": "plain"},
    "seaweedfs": {"kms": "sse-kms", "plain": "plain", "s3": "sse-s3"},
    "versitygw": {"c": "plain", "kms": "plain", "plain": "plain", "s3": "plain"},
}
WITHOUT_VERSIONS = {"garage"}


@pytest.fixture
def play_like(tmp_path: Path) -> Iterator[Callable[[str], Play]]:
    """Starts a sandbox like the server that is named, whose KMS has a key."""
    with ExitStack() as running:

        def start(name: str) -> Play:
            box = Sandbox(tmp_path / "box", like=name, kms_key="my-key")
            return Play.of(running.enter_context(box), tmp_path)

        yield start


@pytest.mark.parametrize("like", SAID)
def test_each_object_is_what_its_server_says_and_none_is_left_out(
    play_like: Callable[[str], Play], like: str
) -> None:
    play = play_like(like)
    s3 = S3(play.sandbox.alias(), HttpOptions(Deadline(30), retries=0))
    s3.make_bucket("b-one")
    stored = set()
    for key, headers in UPLOADS.items():
        try:
            s3.put_object("b-one", key, b"0123456789", headers=headers)
        except McpyError:
            continue
        stored.add(key)
    s3.http.close()
    result = play.mcpy("--json", "encrypt", "audit", "--list", "all", "play/b-one")
    assert result.exit_code == 0, result
    found = {o["key"]: o["scheme"] for o in result.objects if o["type"] == "version"}
    assert set(found) == stored
    assert {key: found[key] for key in SAID[like]} == SAID[like]
    if "c" in stored and like != "versitygw":
        assert found["c"] == "sse-c"
    told = "cannot list versions" in result.stderr
    assert told == (like in WITHOUT_VERSIONS)


def test_a_key_of_aws_is_known_by_its_id_whatever_stands_before_it(
    play_like: Callable[[str], Play],
) -> None:
    play = play_like("aws")
    s3 = S3(play.sandbox.alias(), HttpOptions(Deadline(30), retries=0))
    s3.make_bucket("b-one")
    s3.put_object("b-one", "kms", b"x", headers=kms_with("my-key"))
    s3.http.close()
    assert play.mcpy("encrypt", "audit", "--require", "sse-kms:my-key", "play/b-one")[0] == 0
    result = play.mcpy("encrypt", "impact", "my-key", "play")
    assert result.exit_code == 3
    assert "SSE-KMS          1 version," in result.stdout
