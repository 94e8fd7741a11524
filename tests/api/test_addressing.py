"""Where a bucket stands: in the path or before the host."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcpy.api.addressing import router
from mcpy.errors import ConfigError
from mcpy.models import Alias
from tests.running import ACCESS_KEY, SECRET_KEY
from tests.stub import ok, wire_target, xml

if TYPE_CHECKING:
    from tests.running import Mcpy
    from tests.stub import Server


def routed(url: str, path: str, target: str) -> tuple[str, str]:
    route = router(Alias("a", url, path=path))
    return route(target) if route else (url, target)


@pytest.mark.parametrize(
    ("url", "path", "by_host"),
    [
        ("http://s3.test:9000", "auto", False),
        ("http://s3.test:9000", "on", False),
        ("http://s3.test:9000", "off", True),
        ("https://s3.amazonaws.com", "auto", True),
        ("https://s3.eu-west-1.amazonaws.com", "auto", True),
        ("https://s3.cn-north-1.amazonaws.com.cn", "auto", True),
        ("https://s3.amazonaws.com", "on", False),
        ("https://storage.googleapis.com", "auto", True),
        ("https://oss-cn-hangzhou.aliyuncs.com", "auto", True),
        ("https://s3.amazonaws.com.example.org", "auto", False),
        ("http://127.0.0.1:9000", "auto", False),
    ],
)
def test_the_host_has_the_bucket_where_it_is_wanted(url: str, path: str, by_host: bool) -> None:
    scheme, _, host = url.partition("://")
    wanted = (f"{scheme}://bucket.{host}", "/a/b?x=1") if by_host else (url, "/bucket/a/b?x=1")
    assert routed(url, path, "/bucket/a/b?x=1") == wanted


def test_the_bucket_alone_and_no_bucket() -> None:
    assert routed("http://h.test", "off", "/bucket") == ("http://bucket.h.test", "/")
    assert routed("http://h.test", "off", "/bucket?location=") == (
        "http://bucket.h.test",
        "/?location=",
    )
    assert routed("http://h.test", "off", "/") == ("http://h.test", "/")


def test_a_dotted_bucket_keeps_to_the_path_where_a_certificate_would_not_cover_it() -> None:
    url = "https://s3.amazonaws.com"
    assert routed(url, "auto", "/my.bucket/k") == (url, "/my.bucket/k")
    assert routed(url, "off", "/my.bucket/k") == ("https://my.bucket.s3.amazonaws.com", "/k")


@pytest.mark.parametrize("url", ["http://127.0.0.1:9000", "https://[::1]"])
def test_an_address_has_no_names_before_it(url: str) -> None:
    with pytest.raises(ConfigError, match="no bucket's name can stand before it"):
        router(Alias("a", url, path="off"))


def test_host_and_path_go_out_signed_as_they_are_sent(mcpy: Mcpy, server: Server) -> None:
    mcpy.store.put(Alias("vh", "http://s3.test:9000", ACCESS_KEY, SECRET_KEY, path="off"))
    server.replies = [ok(content_length="5", etag='"e"'), xml(200, "<ListBucketResult/>")]
    assert mcpy("stat", "vh/bucket/a b/ü").exit_code == 0
    mcpy("ls", "vh/bucket")
    first, second = server.requests
    assert first.headers["host"] == second.headers["host"] == "bucket.s3.test:9000"
    assert wire_target(first) == "/a%20b/%C3%BC"
    assert wire_target(second).startswith("/?delimiter=")
    assert "SignedHeaders=host;" in first.headers["authorization"]


def test_a_copy_still_names_its_sources_bucket(mcpy: Mcpy, server: Server) -> None:
    mcpy.store.put(Alias("vh", "http://s3.test:9000", ACCESS_KEY, SECRET_KEY, path="off"))
    server.replies = [
        ok(content_length="5", etag='"e"'),
        xml(200, "<CopyObjectResult><ETag>&quot;e&quot;</ETag></CopyObjectResult>"),
        ok(content_length="5", etag='"e"'),
    ]
    result = mcpy("cp", "vh/source/o", "vh/target/o")
    assert result.exit_code == 0, result.stderr
    copy = server.requests[1]
    assert copy.headers["host"] == "target.s3.test:9000"
    assert copy.headers["x-amz-copy-source"] == "/source/o"
