"""The variables of mc that are not options: a file of aliases, the region, the size of parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from tests.recordings import minio
from tests.stub import ETAG, ok, xml

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running import Mcpy
    from tests.stub import Server

BUCKETS = "after-unfreeze-list"
STARTED = xml(
    200,
    "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>",
)


def test_aliases_may_stand_in_a_file_that_the_environment_names(
    mcpy: Mcpy, server: Server, tmp_path: Path
) -> None:
    file = tmp_path / "hosts"
    file.write_text(
        "# written by hand\n\nMC_HOST_one=http://access:secret-one@one.test\n"
        "export MCPY_HOST_two='http://access:secret%2Dtwo@two.test'\n"
        "three=http://access:secret-three@three.test\nOTHER=value\n"
    )
    mcpy.env["MC_CONFIG_ENV_FILE"] = str(file)
    mcpy.secrets |= {"secret-one", "secret-two", "secret-three"}
    server.replies = [minio(BUCKETS)] * 3
    for name in ("one", "two", "three"):
        assert mcpy("ls", name).exit_code == 0
    hosts = [request.headers["host"] for request in server.requests]
    assert hosts == ["one.test", "two.test", "three.test"]


def test_the_environment_itself_goes_before_its_file(
    mcpy: Mcpy, server: Server, tmp_path: Path
) -> None:
    (tmp_path / "hosts").write_text("MC_HOST_one=http://access:secret-one@file.test\n")
    mcpy.env |= {
        "MC_CONFIG_ENV_FILE": str(tmp_path / "hosts"),
        "MC_HOST_one": "http://access:secret-one@env.test",
    }
    server.replies = [minio(BUCKETS)]
    assert mcpy("ls", "one").exit_code == 0
    assert server.requests[0].headers["host"] == "env.test"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"MC_HOST_a=http://h\nhush-hush\n", "line 2 is not NAME=VALUE"),
        (b"\xff\xfe", "is not UTF-8 text"),
        (None, "No such file or directory"),
    ],
)
def test_a_file_of_aliases_that_cannot_be_read_is_named_and_not_repeated(
    mcpy: Mcpy, tmp_path: Path, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / "hosts").write_bytes(content)
    mcpy.env["MC_CONFIG_ENV_FILE"] = str(tmp_path / "hosts")
    result = mcpy("ls", "play")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("mcpy: error: MC_CONFIG_ENV_FILE: ")
    assert message in result.stderr
    assert "hush-hush" not in result.stderr


@pytest.mark.parametrize("name", ["MCPY_REGION", "MC_REGION", "AWS_REGION"])
def test_the_region_comes_from_the_environment_where_the_alias_names_none(
    mcpy: Mcpy, server: Server, name: str
) -> None:
    server.replies = [minio(BUCKETS)]
    assert mcpy("ls", "play", env={name: "eu-west-1"}).exit_code == 0
    assert "/eu-west-1/s3/aws4_request" in server.requests[0].headers["authorization"]


@pytest.mark.parametrize("prefix", ["MC_", "MCPY_"])
def test_the_size_of_parts_comes_from_the_environment(
    mcpy: Mcpy, server: Server, tmp_path: Path, prefix: str
) -> None:
    (tmp_path / "file").write_bytes(bytes(6 * 1024**2))
    mcpy.env |= {
        f"{prefix}UPLOAD_MULTIPART_SIZE": "5MiB",
        f"{prefix}UPLOAD_MULTIPART_THREADS": "1",
    }
    server.replies = [
        xml(
            200,
            "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>",
        ),
        ok(etag='"1"'),
        ok(etag='"2"'),
        xml(200, "<CompleteMultipartUploadResult/>"),
        httpx.Response(200, headers={"content-length": str(6 * 1024**2), **ETAG}),
    ]
    assert mcpy("cp", str(tmp_path / "file"), "play/enc-1/o").exit_code == 0
    sizes = [len(request.content) for request in server.requests[1:3]]
    assert sizes == [5 * 1024**2, 1024**2]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("MC_UPLOAD_MULTIPART_SIZE", "1MiB", "is not between 5MiB and 5GiB"),
        ("MC_UPLOAD_MULTIPART_SIZE", "large", "does not hold a size"),
        ("MC_UPLOAD_MULTIPART_THREADS", "0", "is not a number from 1 to 64"),
        ("MCPY_UPLOAD_MULTIPART_THREADS", "many", "is not a number from 1 to 64"),
    ],
)
def test_a_variable_without_a_number_of_use_is_named(
    mcpy: Mcpy, tmp_path: Path, name: str, value: str, message: str
) -> None:
    (tmp_path / "file").write_bytes(b"x")
    result = mcpy("cp", str(tmp_path / "file"), "play/enc-1/o", env={name: value})
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"mcpy: error: {name} {message}")
