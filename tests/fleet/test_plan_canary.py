"""Whether a server keeps to a policy, tried on a sandbox that does not, and made to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from mcpy.api.http import HttpOptions
from mcpy.api.s3 import S3
from mcpy.errors import ExitCode, McpyError, S3Error, UnsupportedError, exit_code
from mcpy.fleet.plan.canary import Canary
from mcpy.models import Alias, BucketEncryption
from mcpy.sandbox.play import Sandbox
from tests.fleet.obeying import Obeying
from tests.stub import s3_error

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.sandbox

AES = BucketEncryption("AES256")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """A sandbox whose server makes its default key at its start, as MinIO does."""
    with Sandbox(kms_key="canary-key") as started:
        yield started


@pytest.fixture
def network() -> Iterator[Obeying]:
    made = Obeying()
    yield made
    made.close()


@pytest.fixture
def s3(sandbox: Sandbox, network: Obeying) -> S3:
    alias = Alias("play", sandbox.s3_url, sandbox.access_key, sandbox.secret_key)
    return S3(alias, HttpOptions(transport=network))


def test_a_policy_that_holds_only_after_a_moment_is_waited_for(s3: S3, network: Obeying) -> None:
    waited: list[float] = []
    network.late = 2
    Canary(sleep=waited.append).prove(s3, AES, "same")
    assert waited == [1.0, 1.0]
    assert network.policies == {}


def test_a_server_is_tried_once_for_a_mode(s3: S3, network: Obeying) -> None:
    canary = Canary()
    canary.prove(s3, AES, "same-or-default")
    asked = len(network.requests)
    canary.prove(s3, AES, "same-or-default")
    assert len(network.requests) == asked
    canary.prove(s3, BucketEncryption("aws:kms", "canary-key"), "same-or-default")
    assert len(network.requests) > asked


def test_a_server_that_does_not_obey_is_found_out_and_left_as_it_was(
    s3: S3, network: Obeying
) -> None:
    waited: list[float] = []
    network.late = 1000
    with pytest.raises(UnsupportedError, match="does not keep to it: an upload with") as caught:
        Canary(sleep=waited.append).prove(s3, AES, "same")
    assert exit_code(caught.value) == ExitCode.UNSUPPORTED
    assert caught.value.hint
    assert "--user-policy" in caught.value.hint
    assert len(waited) == 3
    assert s3.list_buckets() == []


def test_a_mode_that_breaks_multipart_uploads_is_refused(s3: S3, network: Obeying) -> None:
    network.parts_are_uploads = True
    Canary().prove(s3, AES, "same-or-default")
    with pytest.raises(UnsupportedError, match="refuses a multipart upload as it should be too"):
        Canary().prove(s3, AES, "same")
    assert s3.list_buckets() == []


def test_an_upload_that_is_denied_anyway_proves_nothing(s3: S3, network: Obeying) -> None:
    inner = network.inner

    class Denying(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if request.headers.get("x-amz-server-side-encryption") == "aws:kms":
                return s3_error(403, "AccessDenied")
            return inner.handle_request(request)

    network.inner = Denying()
    with pytest.raises(UnsupportedError, match="nothing to try"):
        Canary().prove(s3, AES, "same-or-default")
    network.inner = inner


def test_a_server_that_cannot_encrypt_so_says_why(s3: S3) -> None:
    with pytest.raises(S3Error) as caught:
        Canary().prove(s3, BucketEncryption("aws:kms", "nobody-has-it"), "same")
    assert caught.value.api_code == "kms:KeyNotFound"
    assert s3.list_buckets() == []


def test_without_the_right_to_make_a_bucket_nothing_is_tried(s3: S3, network: Obeying) -> None:
    class Refusing(httpx.BaseTransport):
        def handle_request(self, _: httpx.Request) -> httpx.Response:
            return s3_error(403, "AccessDenied")

    inner, network.inner = network.inner, Refusing()
    with pytest.raises(McpyError, match="no bucket can be made at") as caught:
        Canary().prove(s3, AES, "same")
    assert caught.value.hint == 'uploads = "any" leaves the policy out'
    network.inner = inner


def test_a_bucket_that_cannot_be_removed_is_named(s3: S3, network: Obeying) -> None:
    inner = network.inner

    class Keeping(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            path = request.extensions["target"].decode()
            if request.method == "DELETE" and path.endswith("/upload"):
                return s3_error(403, "AccessDenied")
            return inner.handle_request(request)

    network.inner = Keeping()
    said: list[str] = []
    Canary(say=said.append).prove(s3, AES, "same-or-default")
    network.inner = inner
    assert len(said) == 1
    assert "was left behind: AccessDenied" in said[0]
    (left,) = s3.list_buckets()
    s3.delete_object(left.name, "upload")
    s3.remove_bucket(left.name)
