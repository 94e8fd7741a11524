"""A KMS that goes away in the middle of a rotation: said by its name, and gone on with after."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.s3_calls import kms_with

if TYPE_CHECKING:
    import httpx

    from mcpy.api.s3 import S3
    from tests.in_process import Server
    from tests.running import Mcpy

LINE = ("encrypt", "rotate", "play/b-1", "--from", "tenant-a", "--to", "tenant-b")


def test_an_object_that_does_not_open_while_the_kms_is_away_is_not_called_lost(
    run: Mcpy, s3: S3, world: Server
) -> None:
    s3.make_bucket("b-1")
    s3.put_object("b-1", "o", b"content", headers=kms_with("tenant-a"))
    written: list[httpx.Request] = []

    def hook(request: httpx.Request) -> None:
        ours = request.url.path == "/b-1/o"
        if ours and request.method == "GET" and written:
            world.kms.down = True
        if ours and request.method == "PUT":
            written.append(request)

    world.hook = hook
    result = run(*LINE, "--engine", "copy", "--retries", "0")
    assert result.exit_code == 6
    assert "error: the KMS of `play` does not answer it; `play/b-1/o` was rewritten and is" in (
        result.stderr
    )
    world.hook, world.kms.down = None, False
    assert run(*LINE, "--engine", "copy").exit_code == 0
