"""Which KMS a server uses: an endpoint that does not answer is never a success."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from tests.running import Mcpy
    from tests.stub import Server

ONE, TWO = "https://kes1.test:7373", "https://kes2.test:7373"


def kms(**endpoints: str) -> httpx.Response:
    found = {{"one": ONE, "two": TWO}[name]: state for name, state in endpoints.items()}
    body = {"name": "MinIO KES", "default-key-id": "my-key", "endpoints": found}
    return httpx.Response(200, json=body)


def test_the_kms_is_shown_with_its_endpoints(mcpy: Mcpy, server: Server) -> None:
    server.replies = [kms(one="online")]
    assert mcpy("admin", "kms", "status", "play") == (
        0,
        f"KMS: MinIO KES\nDefault key: my-key\n  {ONE}  online\n",
        "",
    )
    assert server.calls == ["GET /minio/kms/v1/status"]


def test_in_json_each_endpoint_has_its_status(mcpy: Mcpy, server: Server) -> None:
    server.replies = [kms(two="online", one="online")]
    assert mcpy("admin", "kms", "status", "play", "--json").objects == [
        {
            "status": "success",
            "target": "play",
            "name": "MinIO KES",
            "defaultKeyId": "my-key",
            "endpoints": [
                {"endpoint": ONE, "status": "online"},
                {"endpoint": TWO, "status": "online"},
            ],
        }
    ]


def test_a_kms_that_does_not_answer_is_unreachable(mcpy: Mcpy, server: Server) -> None:
    server.replies = [kms(one="offline")]
    code, stdout, stderr = mcpy("admin", "kms", "status", "play")
    assert code == 6
    assert stdout.endswith(f"  {ONE}  offline\n")
    assert stderr == (
        f"mcpy: error: {ONE} does not answer `play`\nmcpy: hint: mcpy admin kms key status play\n"
    )


def test_one_of_two_endpoints_that_does_not_answer_is_a_part(mcpy: Mcpy, server: Server) -> None:
    server.replies = [kms(one="offline", two="online")]
    result = mcpy("admin", "kms", "status", "play", "--json")
    assert (result.exit_code, result.objects[0]["status"]) == (8, "error")


def test_a_server_without_kms_says_how_to_give_it_one(mcpy: Mcpy, server: Server) -> None:
    body = {"Code": "NotImplemented", "Message": "KMS is not configured"}
    server.replies = [httpx.Response(501, json=body)]
    result = mcpy("admin", "kms", "status", "play")
    assert (result.exit_code, result.stdout) == (7, "")
    assert "mcpy admin kms env play --key KEY" in result.stderr


def test_endpoints_of_another_form_are_refused(mcpy: Mcpy, server: Server) -> None:
    server.replies = [httpx.Response(200, json={"name": "KES", "endpoints": ["a"]})]
    message = "mcpy: error: s3.test:9000 answered a KMS status without endpoints\n"
    assert mcpy("admin", "kms", "status", "play") == (1, "", message)
