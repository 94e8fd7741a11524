"""``mcpy doctor`` over a scripted server: each link broken in each way, and what is said of it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from mcpy.models import Alias, KesProfile
from tests.running import ACCESS_KEY, KES_API_KEY, SECRET_KEY, URL, Mcpy, Result
from tests.stub import ETAG, Answering, kes_error, s3_error, xml

if TYPE_CHECKING:
    from tests.stub import Reply, Server

AES = (
    "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>"
    "<SSEAlgorithm>{}</SSEAlgorithm>{}</ApplyServerSideEncryptionByDefault></Rule>"
    "</ServerSideEncryptionConfiguration>"
)
NO_DEFAULT = s3_error(404, "ServerSideEncryptionConfigurationNotFoundError")
DENIED_BY_KES = "insufficient permissions to perform KMS operation"
VARIABLES = {"MINIO_KMS_KES_ENDPOINT": "https://kes:7373", "MINIO_KMS_KES_KEY_NAME": "k"}


def node(endpoint: str = "n1:9000", **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    found = {"endpoint": endpoint, "state": "online", "version": "v1", "minio_env_vars": VARIABLES}
    return found | changes


def info(*nodes: dict[str, Any], mode: str = "online") -> httpx.Response:
    return httpx.Response(200, json={"mode": mode, "servers": list(nodes)})


def kms(**changes: Any) -> httpx.Response:  # noqa: ANN401 - JSON
    found = {
        "name": "MinIO KES",
        "default-key-id": "k",
        "endpoints": {"https://kes.test:7373": "online"},
    }
    return httpx.Response(200, json=found | changes)


def key_status(**problems: str) -> httpx.Response:
    found = {"key-id": "k"} | {k.replace("_", "-"): v for k, v in problems.items()}
    return httpx.Response(200, json=found)


def default(algorithm: str, key: str = "") -> httpx.Response:
    element = f"<KMSMasterKeyID>{key}</KMSMasterKeyID>" if key else ""
    return xml(200, AES.format(algorithm, element))


def buckets(*names: str) -> httpx.Response:
    listed = "".join(f"<Bucket><Name>{name}</Name></Bucket>" for name in names)
    body = f"<ListAllMyBucketsResult><Buckets>{listed}</Buckets></ListAllMyBucketsResult>"
    return xml(200, body)


def listing(*objects: tuple[str, str]) -> httpx.Response:
    """Return a page of objects, each with its algorithm, as MinIO tells it."""
    sse = "X-Amz-Server-Side-Encryption"
    listed = "".join(
        f"<Contents><Key>{key}</Key><UserMetadata><{sse}>{how}</{sse}></UserMetadata></Contents>"
        for key, how in objects
    )
    return xml(200, f"<ListBucketResult>{listed}</ListBucketResult>")


def alive(skew_s: float = 0) -> httpx.Response:
    moment = datetime.now(UTC) - timedelta(seconds=skew_s)
    return httpx.Response(200, headers={"date": format_datetime(moment, usegmt=True)})


def healthy() -> dict[str, Reply]:
    """Return the answers of a chain without a fault."""
    return {
        "GET /minio/health/live": alive(),
        "GET /": buckets("bbb"),
        "GET /minio/admin/v3/info": info(node()),
        "GET /minio/kms/v1/status": kms(),
        "GET /minio/kms/v1/key/status": key_status(),
        "GET /minio/kms/v1/key/list": httpx.Response(200, json=[]),
        "GET /minio/kms/v1/apis": httpx.Response(200, json=[]),
        "GET /bbb?encryption": default("AES256"),
        "GET /bbb?encoding-type": listing(("k", "AES256")),
        "GET /bbb/k": httpx.Response(206, headers=ETAG, content=b"x"),
        "GET /version": httpx.Response(200, json={"version": "2024-09-11", "commit": "c"}),
        "GET /v1/ready": httpx.Response(200),
        "GET /v1/policy/list": httpx.Response(200, json={"names": ["minio"]}),
        "GET /v1/policy/read/minio": httpx.Response(
            200, json={"name": "minio", "created_at": "x", "allow": {"/v1/*": {}}}
        ),
    }


@pytest.fixture
def ward(server: Server) -> Answering:
    made = Answering(healthy())
    server.afterwards = made
    return made


@pytest.fixture
def with_kes(mcpy: Mcpy) -> None:
    """Let the alias name its KES."""
    profile = KesProfile("https://kes.test:7373", api_key=KES_API_KEY)
    mcpy.store.put(Alias("play", URL, ACCESS_KEY, SECRET_KEY, kes=profile))


def step(result: Result, link: str, level: str = "") -> dict[str, Any]:
    """Return the first step of a link, of that level where one is given."""
    return next(
        line
        for line in result.objects
        if line.get("link") == link and level in {"", line["level"]}
    )


def doctor(mcpy: Mcpy, target: str = "play", *options: str) -> Result:
    return mcpy("--json", "doctor", target, *options)


def test_each_link_is_a_line_and_the_verdict_is_the_last(
    mcpy: Mcpy, ward: Answering, server: Server
) -> None:
    result = mcpy("doctor", "play")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (
        f"ok\talias\t{URL}, from {mcpy.store.path}, as `minioadmin`\t\n"
        "ok\tserver\ts3.test:9000 answers\t\n"
        "ok\tclock\tthis machine's clock and the server's agree\t\n"
        "ok\ts3\tS3 answers: 1 bucket\t\n"
        "ok\tadmin\tthe admin API answers, the deployment is online\t\n"
        "ok\tnodes\t1 node, all online\t\n"
        "ok\tsettings\t2 MINIO_KMS_* variables are set\t\n"
        "ok\tkms\tMinIO KES, default key `k`, at https://kes.test:7373\t\n"
        "ok\tkey\tthe server encrypts and decrypts by the key `k`\t\n"
        "ok\tpermissions\tKES lets the server list keys and show its state\t\n"
        "not checked\tkes\tneither the alias nor the environment names a KES\t"
        "mcpy alias set play http://s3.test:9000 ... "
        "--kes-server URL --kes-cert FILE --kes-key FILE\n"
        "ok\tbuckets\t1 encrypt new objects by default, and no key fails\t\n"
        "ok\tobjects\tencrypted objects that were tried, and open: 1\t\n"
        "`play` works, as far as it was looked at (1 link was not checked).\n"
    )
    assert {request.method for request in server.requests} == {"GET"}
    assert ward.answers


def test_the_json_has_one_object_a_link_a_verdict_and_the_error(
    mcpy: Mcpy, ward: Answering
) -> None:
    ward.answers["GET /minio/kms/v1/key/status"] = key_status(
        encryption_error="key does not exist"
    )
    result = doctor(mcpy)
    assert result.exit_code == 5
    assert step(result, "key") == {
        "op": "doctor",
        "status": "error",
        "link": "key",
        "level": "failed",
        "message": "the key `k` is gone: nothing can be encrypted by it, nor read",
        "hint": "mcpy kes key import k @BACKUP: a new key of its name reads nothing old",
        "exitCode": 5,
    }
    verdict, error = result.objects[-2:]
    assert verdict == {
        "op": "doctor",
        "status": "error",
        "target": "play",
        "healthy": False,
        "warnings": 0,
        "unchecked": 4,
        "broken": "key",
    }
    assert error["error"]["message"].startswith("`play` is broken at key: the key `k` is gone")


def test_a_person_gets_the_verdict_as_an_error_with_the_next_thing_to_type(
    mcpy: Mcpy, ward: Answering
) -> None:
    ward.answers["GET /minio/kms/v1/status"] = s3_error(501, "NotImplemented", "no")
    result = mcpy("doctor", "play")
    assert result.exit_code == 7
    assert result.stderr.startswith(
        "mcpy: error: `play` is broken at kms: s3.test:9000 has no KMS"
    )
    assert "mcpy: hint: mcpy admin kms env play --key KEY" in result.stderr
    assert "not checked\tbuckets\tnot without `kms`" in result.stdout


def test_nobody_listens(mcpy: Mcpy, ward: Answering) -> None:
    ward.answers["GET /minio/health/live"] = httpx.ConnectError("refused")
    result = doctor(mcpy)
    assert (result.exit_code, step(result, "server")["level"]) == (6, "failed")
    assert step(result, "server")["hint"] == (
        "see that it runs there; for another URL: mcpy alias set play URL"
    )
    assert step(result, "s3")["message"] == "not without `server`"
    assert step(result, "key")["message"] == "not without `server`"


@pytest.mark.parametrize(
    ("skew_s", "code", "level", "words"),
    [
        (-120, 0, "warning", "s behind the server's"),
        (1000, 4, "failed", "s ahead of the server's: no signature holds"),
    ],
)
def test_clocks_that_differ(
    mcpy: Mcpy, ward: Answering, skew_s: float, code: int, level: str, words: str
) -> None:
    ward.answers["GET /minio/health/live"] = alive(skew_s)
    result = doctor(mcpy)
    found = step(result, "clock")
    assert (result.exit_code, found["level"]) == (code, level)
    seconds = int(re.search(r"is (\d+) s", found["message"])[1])  # type: ignore[index]
    assert abs(seconds - abs(skew_s)) < 10
    assert found["message"].endswith(words)


def test_a_server_that_tells_no_time(mcpy: Mcpy, ward: Answering) -> None:
    ward.answers["GET /minio/health/live"] = httpx.Response(200)
    assert step(doctor(mcpy), "clock")["level"] == "unchecked"


def test_an_alias_without_credentials_is_warned_of(mcpy: Mcpy, ward: Answering) -> None:
    mcpy.store.put(Alias("anyone", URL))
    ward.answers["GET /"] = s3_error(403, "AccessDenied")
    ward.answers["GET /minio/admin/v3/info"] = s3_error(403, "AccessDenied")
    result = doctor(mcpy, "anyone")
    assert (result.exit_code, step(result, "alias")["level"]) == (0, "warning")
    assert step(result, "s3")["level"] == "warning"
    assert step(result, "admin")["message"] == "these credentials may not administer"


def test_s3_that_gives_no_answer_on_a_server_that_is_alive_may_be_frozen(
    mcpy: Mcpy, ward: Answering
) -> None:
    ward.answers["GET /"] = httpx.ReadTimeout("slow")
    result = doctor(mcpy)
    assert (result.exit_code, step(result, "s3")["hint"]) == (
        6,
        "mcpy admin service unfreeze play",
    )


def test_wrong_credentials_are_the_broken_link(mcpy: Mcpy, ward: Answering) -> None:
    ward.answers["GET /"] = s3_error(403, "InvalidAccessKeyId")
    result = doctor(mcpy)
    assert (result.exit_code, step(result, "s3")["level"]) == (4, "failed")


@pytest.mark.parametrize(
    "answer", [xml(404, "<Error><Code>NoSuchBucket</Code></Error>"), xml(200, "<x/>")]
)
def test_another_s3_server_has_no_admin_api(
    mcpy: Mcpy, ward: Answering, answer: httpx.Response
) -> None:
    ward.answers["GET /minio/admin/v3/info"] = answer
    result = doctor(mcpy)
    assert (result.exit_code, step(result, "admin")["level"]) == (0, "unchecked")
    assert step(result, "kms")["message"] == "not without `admin`"


@pytest.mark.parametrize(
    ("answer", "code"),
    [(info(mode="initializing"), 6), (s3_error(500, "InternalError"), 1)],
)
def test_a_deployment_that_is_not_online(
    mcpy: Mcpy, ward: Answering, answer: httpx.Response, code: int
) -> None:
    ward.answers["GET /minio/admin/v3/info"] = answer
    result = doctor(mcpy)
    assert (result.exit_code, step(result, "admin")["level"]) == (code, "failed")


@pytest.mark.parametrize(
    ("nodes", "link", "words"),
    [
        ([node(), node("n2:9000", state="offline")], "nodes", "not online: n2:9000"),
        (
            [node(), node("n2:9000", version="v2")],
            "nodes",
            "the nodes run different versions: v1, v2",
        ),
        (
            [node(minio_env_vars={**VARIABLES, "MINIO_KMS_KES_CA_PATH": "x"})],
            "settings",
            "n1:9000 has MINIO_KMS_KES_CA_PATH, which MinIO does not read",
        ),
        (
            [node(minio_env_vars={**VARIABLES, "MINIO_KMS_FROBNICATE": "x"})],
            "settings",
            "n1:9000 has MINIO_KMS_FROBNICATE, which MinIO does not read",
        ),
        (
            [node(minio_env_vars={**VARIABLES, "MINIO_KMS_KES_KEY_NAME": ""})],
            "settings",
            "n1:9000 names a KES and no default key",
        ),
    ],
)
def test_nodes_and_settings_that_are_odd_are_warned_of(
    mcpy: Mcpy, ward: Answering, nodes: list[dict[str, Any]], link: str, words: str
) -> None:
    ward.answers["GET /minio/admin/v3/info"] = info(*nodes)
    result = doctor(mcpy)
    assert (result.exit_code, step(result, link, "warning")["message"]) == (0, words)
    assert result.objects[-1]["warnings"] == 1


@pytest.mark.parametrize(
    ("others", "words"),
    [
        (
            {**VARIABLES, "MINIO_KMS_KES_KEY_NAME": "other"},
            "n1:9000 has MINIO_KMS_KES_KEY_NAME=k, and n2:9000 has other",
        ),
        ({}, "n2:9000 has no MINIO_KMS_KES_ENDPOINT, and other nodes have"),
        (
            {**VARIABLES, "MINIO_KMS_SECRET_KEY": "k:c2VjcmV0"},
            "n1:9000 has no MINIO_KMS_SECRET_KEY, and other nodes have",
        ),
        (
            {**VARIABLES, "MINIO_KMS_KES_CAPATH": "/ca"},
            "n1:9000 has no MINIO_KMS_KES_CAPATH, and other nodes have",
        ),
    ],
)
def test_a_node_that_is_set_otherwise_is_a_broken_link(
    mcpy: Mcpy, ward: Answering, others: dict[str, str], words: str
) -> None:
    other = node("n2:9000", minio_env_vars=others)
    ward.answers["GET /minio/admin/v3/info"] = info(node(), other)
    result = doctor(mcpy)
    assert (result.exit_code, step(result, "settings")["message"]) == (1, words)


def test_a_secret_that_differs_is_not_shown(mcpy: Mcpy, ward: Answering) -> None:
    nodes = [
        node(f"n{i}:9000", minio_env_vars={"MINIO_KMS_SECRET_KEY": f"k:throw-away-{i}"})
        for i in range(2)
    ]
    ward.answers["GET /minio/admin/v3/info"] = info(*nodes)
    result = doctor(mcpy)
    assert step(result, "settings")["message"] == (
        "n1:9000 has another MINIO_KMS_SECRET_KEY than n0:9000"
    )
    assert "throw-away-1" not in result.stdout


def test_what_minio_does_not_read_makes_no_difference(mcpy: Mcpy, ward: Answering) -> None:
    other = node("n2:9000", minio_env_vars={**VARIABLES, "MINIO_KMS_AUTO_ENCRYPTON": "on"})
    ward.answers["GET /minio/admin/v3/info"] = info(node(), other)
    found = step(doctor(mcpy), "settings")
    assert (found["level"], found["hint"]) == ("warning", "MINIO_KMS_AUTO_ENCRYPTION is meant")


def test_paths_may_differ_from_node_to_node(mcpy: Mcpy, ward: Answering) -> None:
    nodes = [
        node(f"n{i}:9000", minio_env_vars={**VARIABLES, "MINIO_KMS_KES_CERT_FILE": f"/{i}"})
        for i in range(2)
    ]
    ward.answers["GET /minio/admin/v3/info"] = info(*nodes)
    assert step(doctor(mcpy), "settings")["message"].endswith("are set on every node")


def test_a_server_without_settings_says_so(mcpy: Mcpy, ward: Answering) -> None:
    ward.answers["GET /minio/admin/v3/info"] = info(node(minio_env_vars={}))
    assert step(doctor(mcpy), "settings")["message"] == "no MINIO_KMS_* is set"


@pytest.mark.parametrize(
    ("answer", "code", "level", "words"),
    [
        (kms(endpoints={"https://a": "offline"}), 0, "warning", "it says, and yet the server enc"),
        (
            kms(endpoints={"https://a": "offline", "https://b": "online"}),
            0,
            "warning",
            "not reached: https://a",
        ),
        (kms(**{"default-key-id": ""}), 0, "ok", "default key `k`"),
        (s3_error(500, "InternalError", DENIED_BY_KES), 0, "warning", "/v1/status"),
        (s3_error(403, "AccessDenied"), 0, "warning", "may not ask for the state of the KMS"),
        (s3_error(500, "InternalError", "boom"), 1, "failed", "boom"),
        (httpx.Response(200, text="nonsense"), 0, "unchecked", "no KMS API of MinIO"),
        (httpx.ReadTimeout("slow"), 6, "failed", "gave no answer within"),
    ],
)
def test_the_kms_as_the_server_sees_it(
    mcpy: Mcpy, ward: Answering, answer: Reply, code: int, level: str, words: str
) -> None:
    ward.answers["GET /minio/kms/v1/status"] = answer
    result = doctor(mcpy)
    found = step(result, "kms")
    assert (result.exit_code, found["level"]) == (code, level)
    assert words in found["message"]


@pytest.mark.parametrize(
    ("tried", "words"),
    [
        (key_status(encryption_error="x509: unknown authority"), "do not trust each other: x509"),
        (s3_error(500, "InternalError"), "the server does not reach its KMS at https://a"),
    ],
)
def test_why_no_endpoint_is_reached_the_trial_of_the_key_tells(
    mcpy: Mcpy, ward: Answering, tried: httpx.Response, words: str
) -> None:
    ward.answers["GET /minio/kms/v1/status"] = kms(endpoints={"https://a": "offline"})
    ward.answers["GET /minio/kms/v1/key/status"] = tried
    result = doctor(mcpy)
    assert (result.exit_code, words in step(result, "kms")["message"]) == (6, True)


@pytest.mark.parametrize(
    ("answer", "code", "level", "words"),
    [
        (key_status(encryption_error=DENIED_BY_KES), 4, "failed", "/v1/key/generate/*"),
        (key_status(decryption_error=DENIED_BY_KES), 4, "failed", "/v1/key/decrypt/*"),
        (key_status(encryption_error="failed to read key"), 6, "failed", "it is locked there"),
        (key_status(encryption_error="x509: unknown authority"), 6, "failed", "do not trust"),
        (key_status(encryption_error="dial: connection refused"), 6, "failed", "does not reach"),
        (key_status(decryption_error="ciphertext is odd."), 1, "failed", "is odd"),
        (httpx.Response(200, json={"key-id": "", "encryption-error": "x"}), 1, "failed", "no def"),
        (s3_error(403, "AccessDenied"), 0, "unchecked", "may not try a key"),
        (s3_error(500, "InternalError", "boom"), 1, "failed", "boom"),
    ],
)
def test_the_default_key_as_the_server_sees_it(
    mcpy: Mcpy, ward: Answering, answer: Reply, code: int, level: str, words: str
) -> None:
    ward.answers["GET /minio/kms/v1/key/status"] = answer
    result = doctor(mcpy)
    found = step(result, "key")
    assert (result.exit_code, found["level"]) == (code, level)
    assert words in found["message"]


def test_what_kes_denies_the_server_beyond_its_needs_is_warned_of(
    mcpy: Mcpy, ward: Answering
) -> None:
    ward.answers["GET /minio/kms/v1/key/list"] = s3_error(500, "InternalError", DENIED_BY_KES)
    found = step(doctor(mcpy), "permissions")
    assert (found["level"], found["message"]) == (
        "warning",
        "KES does not let the server use /v1/key/list/* (lists keys)",
    )
    ward.answers["GET /minio/kms/v1/key/list"] = s3_error(403, "AccessDenied")
    found = step(doctor(mcpy), "permissions")
    assert (found["level"], found["hint"]) == (
        "unchecked",
        "kms:ListKeys in the policy of the user",
    )
    ward.answers["GET /minio/kms/v1/key/list"] = s3_error(500, "InternalError", "other")
    assert step(doctor(mcpy), "permissions")["level"] == "ok"


def test_a_built_in_key_has_no_policy(mcpy: Mcpy, ward: Answering) -> None:
    ward.answers["GET /minio/kms/v1/status"] = kms(name="MinIO builtin")
    result = doctor(mcpy)
    assert result.exit_code == 0
    assert not [line for line in result.objects if line.get("link") == "permissions"]


@pytest.mark.usefixtures("with_kes")
def test_the_kes_of_the_alias_is_walked_to(mcpy: Mcpy, ward: Answering) -> None:
    result = doctor(mcpy)
    assert (result.exit_code, result.objects[-1]["warnings"]) == (0, 0)
    assert step(result, "kes-identity")["message"].endswith("by an API key, which does not expire")
    assert step(result, "kes-tls")["message"] == "there is a proxy in between"
    assert step(result, "kes")["message"].startswith("KES 2024-09-11 at kes.test:7373 is ready")
    assert step(result, "kes-policy")["message"] == "no policy of 1 lacks what MinIO needs"
    assert ward.answers


@pytest.mark.usefixtures("with_kes")
@pytest.mark.parametrize(
    ("asked", "answer", "code", "link", "level", "words"),
    [
        ("GET /version", httpx.ConnectError("x"), 6, "kes", "failed", "cannot connect"),
        (
            "GET /version",
            httpx.Response(200, json={"version": "v0.9.1"}),
            0,
            "kes",
            "warning",
            "mixed up keys",
        ),
        ("GET /v1/ready", kes_error(504, "not reachable"), 6, "kes", "failed", "its keystore"),
        ("GET /v1/ready", kes_error(403, "not authorized"), 0, "kes", "ok", "is ready"),
        (
            "GET /v1/policy/list",
            httpx.Response(200, json={"names": []}),
            0,
            "kes-policy",
            "warning",
            "KES has no policy",
        ),
        (
            "GET /v1/policy/read/minio",
            httpx.Response(200, json={"created_at": "x", "allow": {"/v1/key/decrypt/*": {}}}),
            0,
            "kes-policy",
            "warning",
            "`minio` lacks /v1/key/generate/a-key-of-any-name and /v1/key/list/",
        ),
        (
            "GET /v1/policy/read/minio",
            httpx.Response(200, json={"created_at": "x", "allow": {"/v1/log/*": {}}}),
            0,
            "kes-policy",
            "ok",
            "no policy of 1 lacks",
        ),
        ("GET /v1/policy/list", kes_error(500, "boom"), 1, "kes", "failed", "boom"),
        (
            "GET /minio/kms/v1/status",
            kms(endpoints={"https://other:7373": "online"}),
            0,
            "kes-server",
            "warning",
            "the server uses KES at other:7373",
        ),
    ],
)
def test_each_link_to_kes(
    mcpy: Mcpy,
    ward: Answering,
    *,
    asked: str,
    answer: Reply,
    code: int,
    link: str,
    level: str,
    words: str,
) -> None:
    ward.answers[asked] = answer
    result = doctor(mcpy)
    assert result.exit_code == code
    assert words in step(result, link, level)["message"]


@pytest.mark.usefixtures("with_kes")
@pytest.mark.parametrize(("status", "level"), [(403, "warning"), (404, "ok")])
def test_an_identity_that_may_read_no_policies_tries_out_its_own(
    mcpy: Mcpy, ward: Answering, status: int, level: str
) -> None:
    ward.answers["GET /v1/policy/list"] = kes_error(403, "not authorized")
    for name in ("GET /v1/", "PUT /v1/"):
        ward.answers[name] = kes_error(status, "no")
    result = doctor(mcpy)
    assert (result.exit_code, step(result, "kes-policy")["level"]) == (0, level)


def test_a_bucket_whose_key_fails_is_named_once_for_each_key(mcpy: Mcpy, ward: Answering) -> None:
    names = ("aaa", "bbb", "ccc", "ddd", "eee")
    ward.answers["GET /"] = buckets(*names)
    for name in names:
        ward.answers[f"GET /{name}?encryption"] = default("aws:kms", "lost")
        ward.answers[f"GET /{name}?encoding-type"] = listing()
    ward.answers["GET /ddd?encryption"] = s3_error(403, "AccessDenied")
    ward.answers["GET /minio/kms/v1/key/status?key-id=lost"] = httpx.Response(
        200, json={"key-id": "lost", "encryption-error": "key does not exist"}
    )
    result = doctor(mcpy)
    assert result.exit_code == 5
    assert step(result, "buckets")["message"] == (
        "uploads to `aaa`, `bbb`, `ccc` and 1 more fail: the key `lost` is gone: nothing can be "
        "encrypted by it, nor read"
    )


def test_rules_that_encrypt_nothing_are_warned_of(mcpy: Mcpy, ward: Answering) -> None:
    ward.answers["GET /"] = buckets("aaa", "bbb")
    ward.answers["GET /aaa?encryption"] = default("ROT13")
    ward.answers["GET /bbb?encryption"] = default("")
    ward.answers["GET /aaa?encoding-type"] = listing()
    result = doctor(mcpy)
    said = [line["message"] for line in result.objects if line.get("link") == "buckets"]
    assert said == [
        "`aaa` has a rule that encrypts by `ROT13`",
        "`bbb` has a rule that encrypts by nothing",
    ]
    assert result.exit_code == 0


@pytest.mark.parametrize(
    "answer", [s3_error(501, "NotImplemented"), xml(200, "<ListBucketResult/>")]
)
def test_a_server_without_default_encryption(
    mcpy: Mcpy, ward: Answering, answer: httpx.Response
) -> None:
    ward.answers["GET /bbb?encryption"] = answer
    result = doctor(mcpy)
    assert (result.exit_code, step(result, "buckets")["level"]) == (0, "unchecked")


def test_of_very_many_buckets_some_are_looked_at(mcpy: Mcpy, ward: Answering) -> None:
    ward.answers["GET /"] = buckets(*(f"b{number:03}" for number in range(103)))
    ward.answers["GET /b"] = NO_DEFAULT
    result = doctor(mcpy)
    assert step(result, "buckets", "unchecked")["message"] == "3 more buckets were not looked at"
    assert result.exit_code == 0


def test_a_bucket_is_looked_at_alone(mcpy: Mcpy, ward: Answering) -> None:
    ward.answers["HEAD /bbb"] = httpx.Response(200)
    result = doctor(mcpy, "play/bbb")
    assert (result.exit_code, step(result, "bucket")["message"]) == (
        0,
        "the bucket `bbb` is there",
    )
    ward.answers["GET /bbb?encryption"] = NO_DEFAULT
    assert step(doctor(mcpy, "play/bbb"), "default")["message"].startswith("no default encryption")
    ward.answers["GET /bbb?encryption"] = s3_error(403, "AccessDenied")
    assert step(doctor(mcpy, "play/bbb"), "default")["level"] == "unchecked"
    ward.answers["HEAD /bbb"] = httpx.Response(404)
    assert doctor(mcpy, "play/bbb").exit_code == 5
    ward.answers["HEAD /bbb"] = httpx.ReadTimeout("slow")
    assert step(doctor(mcpy, "play/bbb"), "bucket")["hint"] == "mcpy doctor play"


def test_a_bucket_that_encrypts_on_a_server_without_a_kms(mcpy: Mcpy, ward: Answering) -> None:
    ward.answers["HEAD /bbb"] = httpx.Response(200)
    ward.answers["GET /minio/kms/v1/key/status"] = s3_error(501, "NotImplemented")
    result = doctor(mcpy, "play/bbb")
    assert (result.exit_code, step(result, "buckets")["level"]) == (7, "failed")
    ward.answers["GET /minio/kms/v1/key/status"] = s3_error(403, "AccessDenied")
    assert doctor(mcpy, "play/bbb").exit_code == 0


KMS_HEADERS = {
    "content-length": "3",
    "x-amz-server-side-encryption": "aws:kms",
    "x-amz-server-side-encryption-aws-kms-key-id": "arn:aws:kms:k",
}
WITH_CONTEXT = KMS_HEADERS | {"x-amz-server-side-encryption-context": "e30="}
SSE_C = {"content-length": "3", "x-amz-server-side-encryption-customer-algorithm": "AES256"}
LOST = key_status(encryption_error="key does not exist")
NEEDS_KEY = "The object was stored using a form of Server Side Encryption"


def empty(request: httpx.Request) -> httpx.Response:
    """Answer as MinIO does for an object without content."""
    if "range" in request.headers:
        return s3_error(416, "InvalidRange")
    return httpx.Response(200, headers={"content-length": "0", **ETAG})


@pytest.mark.parametrize(
    ("head", "get", "status", "code", "link", "words"),
    [
        (
            {"content-length": "3"},
            httpx.Response(206, headers=ETAG, content=b"x"),
            None,
            0,
            "content",
            "be read",
        ),
        ({"content-length": "0"}, empty, None, 0, "content", "be read"),
        (
            {"content-length": "0"},
            s3_error(416, "InvalidRange"),
            None,
            1,
            "content",
            "InvalidRange",
        ),
        (
            {"content-length": "3"},
            httpx.Response(200, headers={"content-range": "bytes 0-0/3", **ETAG}),
            None,
            1,
            "content",
            "without content",
        ),
        (KMS_HEADERS, s3_error(404, "kms:KeyNotFound"), LOST, 5, "content", "the key `k` is gone"),
        (
            KMS_HEADERS,
            s3_error(404, "kms:KeyNotFound"),
            None,
            5,
            "content",
            "no longer the default",
        ),
        (
            KMS_HEADERS,
            s3_error(400, "kms:InvalidCiphertextException"),
            None,
            1,
            "content",
            "another key",
        ),
        (
            WITH_CONTEXT,
            s3_error(400, "kms:InvalidCiphertextException"),
            None,
            1,
            "content",
            "or the context",
        ),
        (KMS_HEADERS, s3_error(500, "kms:DecryptionFailed"), None, 6, "content", "kms:Decryption"),
        (
            KMS_HEADERS,
            s3_error(500, "kms:DecryptionFailed"),
            s3_error(403, "AccessDenied"),
            6,
            "content",
            "kms:Decryption",
        ),
        (
            KMS_HEADERS,
            s3_error(500, "kms:X"),
            s3_error(501, "NotImplemented"),
            7,
            "content",
            "no KMS",
        ),
        (
            KMS_HEADERS,
            s3_error(500, "InternalError", "decryption failed: ciphertext is not authentic"),
            None,
            1,
            "content",
            "another key",
        ),
        (KMS_HEADERS, s3_error(403, "AccessDenied"), None, 4, "content", "may not read it"),
        (KMS_HEADERS, s3_error(500, "InternalError"), None, 1, "content", "InternalError"),
        (KMS_HEADERS, httpx.ReadError("cut"), None, 6, "content", "broke"),
        (SSE_C, httpx.Response(206), None, 4, "content", "SSE-C"),
        (400, s3_error(400, "InvalidRequest", NEEDS_KEY), None, 4, "object", "SSE-C"),
        (400, s3_error(400, "InvalidRequest", "other"), None, 1, "object", "HTTP 400"),
        (403, httpx.Response(206), None, 4, "object", "may not read it"),
        (404, httpx.Response(206), None, 5, "object", "no such object"),
        (500, httpx.Response(206), None, 1, "object", "HTTP 500"),
    ],
)
def test_why_an_object_cannot_be_read(
    mcpy: Mcpy,
    ward: Answering,
    *,
    head: dict[str, str] | int,
    get: Reply,
    status: httpx.Response | None,
    code: int,
    link: str,
    words: str,
) -> None:
    ward.answers["HEAD /bbb"] = httpx.Response(200)
    headed = (
        httpx.Response(200, headers=ETAG | head)
        if isinstance(head, dict)
        else httpx.Response(head)
    )
    ward.answers["HEAD /bbb/o"] = headed
    ward.answers["GET /bbb/o"] = get
    if status:
        ward.answers["GET /bbb?encryption"] = NO_DEFAULT
        ward.answers["GET /minio/kms/v1/key/status"] = status
    result = doctor(mcpy, "play/bbb/o")
    assert result.exit_code == code
    assert words in step(result, link)["message"]


def test_a_version_is_asked_for(mcpy: Mcpy, ward: Answering, server: Server) -> None:
    ward.answers["HEAD /bbb"] = httpx.Response(200)
    ward.answers["HEAD /bbb/o"] = httpx.Response(200, headers={"content-length": "3", **ETAG})
    ward.answers["GET /bbb/o"] = httpx.Response(206, headers=ETAG, content=b"x")
    assert doctor(mcpy, "play/bbb/o", "--vid", "v7").exit_code == 0
    assert server.calls[-2:] == ["HEAD /bbb/o?versionId=v7", "GET /bbb/o?versionId=v7"]
    assert doctor(mcpy, "play/bbb", "--vid", "v7").exit_code == 2


def test_an_object_that_can_be_read_works_whatever_its_bucket_does_with_others(
    mcpy: Mcpy, ward: Answering
) -> None:
    ward.answers["HEAD /bbb"] = httpx.Response(200)
    ward.answers["HEAD /bbb/o"] = httpx.Response(200, headers={"content-length": "1", **ETAG})
    ward.answers["GET /bbb/o"] = httpx.Response(206, headers=ETAG, content=b"x")
    ward.answers["GET /minio/kms/v1/key/status"] = LOST
    result = doctor(mcpy, "play/bbb/o")
    assert result.exit_code == 0
    assert step(result, "buckets")["level"] == "warning"
    assert doctor(mcpy, "play/bbb").exit_code == 5


@pytest.mark.parametrize(
    ("head", "words", "hint"),
    [
        (
            {"content-length": "3", "x-amz-server-side-encryption": "AES256"},
            "the default key `k` works, and does not open it: it is another key of the same name, "
            "or another key was the default when the object was written",
            "mcpy kes key import k @BACKUP, after the present one was kept elsewhere",
        ),
        (
            KMS_HEADERS,
            "the key `k` works, and does not open it: it is another key of the same name",
            "mcpy kes key import k @BACKUP, after the present one was kept elsewhere",
        ),
    ],
)
def test_the_hint_names_the_key(
    mcpy: Mcpy, ward: Answering, head: dict[str, str], words: str, hint: str
) -> None:
    ward.answers["HEAD /bbb"] = httpx.Response(200)
    ward.answers["HEAD /bbb/o"] = httpx.Response(200, headers=ETAG | head)
    ward.answers["GET /bbb/o"] = s3_error(400, "kms:InvalidCiphertextException")
    found = step(doctor(mcpy, "play/bbb/o"), "content")
    assert (found["message"], found["hint"]) == (words, hint)


LISTED = "GET /bbb?encoding-type"
SHUT = s3_error(400, "kms:InvalidCiphertextException", "not authentic")


@pytest.mark.parametrize(
    ("answers", "code", "level", "words"),
    [
        ({LISTED: SHUT}, 1, "failed", "`play/bbb` (sse-s3) does not open: kms:InvalidCipher"),
        ({"GET /bbb/k": SHUT}, 1, "failed", "`play/bbb/k` (sse-s3) does not open"),
        (
            {LISTED: listing(("k", "AES256"), ("l", "aws:kms")), "GET /bbb/l": SHUT},
            0,
            "warning",
            "`play/bbb/l` (sse-kms) does not open",
        ),
        (
            {LISTED: listing(("k", "AES256"), ("l", "aws:kms")), "GET /bbb/": SHUT}
            | {"GET /bbb/k": SHUT},
            1,
            "failed",
            "; 1 more that were tried do not either",
        ),
        ({LISTED: listing()}, 0, "ok", "nothing encrypted among the first objects"),
        ({LISTED: s3_error(403, "AccessDenied")}, 0, "unchecked", "so none was tried"),
        ({"GET /bbb/k": s3_error(403, "AccessDenied")}, 0, "unchecked", "so none was tried"),
        ({LISTED: xml(200, "<Odd/>")}, 0, "ok", "nothing encrypted"),
        ({LISTED: httpx.ReadTimeout("slow")}, 0, "unchecked", "no time"),
    ],
)
def test_that_keys_work_does_not_mean_that_objects_open(
    mcpy: Mcpy, ward: Answering, *, answers: dict[str, Reply], code: int, level: str, words: str
) -> None:
    ward.answers |= answers
    result = doctor(mcpy)
    found = step(result, "objects")
    assert (result.exit_code, found["level"]) == (code, level)
    assert words in found["message"]


def test_defaults_that_may_not_be_read_are_not_called_fine(mcpy: Mcpy, ward: Answering) -> None:
    ward.answers["GET /bbb?encryption"] = s3_error(403, "AccessDenied")
    result = doctor(mcpy)
    said = [
        (line["level"], line["message"], line["hint"])
        for line in result.objects
        if line.get("link") == "buckets"
    ]
    assert (result.exit_code, said) == (
        0,
        [
            (
                "unchecked",
                "of 1 of 1 buckets the default may not be read",
                "s3:GetEncryptionConfiguration in the policy of the user",
            )
        ],
    )


def test_keys_of_defaults_that_may_not_be_tried_are_not_called_fine(
    mcpy: Mcpy, ward: Answering
) -> None:
    ward.answers["GET /bbb?encryption"] = default("aws:kms", "own")
    ward.answers["GET /minio/kms/v1/key/status?key-id=own"] = s3_error(403, "AccessDenied")
    found = step(doctor(mcpy), "buckets")
    assert (found["level"], found["hint"]) == (
        "unchecked",
        "kms:KeyStatus in the policy of the user",
    )


@pytest.mark.usefixtures("with_kes")
def test_a_kes_that_is_not_there_has_a_next_step(mcpy: Mcpy, ward: Answering) -> None:
    ward.answers["GET /version"] = httpx.ConnectError("refused")
    result = doctor(mcpy)
    assert (result.exit_code, step(result, "kes")["hint"]) == (
        6,
        "see that KES runs at kes.test:7373; if it is elsewhere, correct the alias",
    )


def test_an_unknown_alias_is_no_patient(mcpy: Mcpy) -> None:
    assert doctor(mcpy, "ghost").exit_code == 5


def test_time_that_is_up_leaves_the_rest_unchecked(mcpy: Mcpy, ward: Answering) -> None:
    def slow(_: httpx.Request) -> httpx.Response:
        import time

        time.sleep(0.06)
        return buckets("bbb")

    ward.answers["GET /"] = slow
    result = mcpy("--json", "doctor", "play", "--timeout", "50ms")
    assert step(result, "admin")["message"] == "no time was left"
    assert step(result, "kms")["message"] == "not without `admin`"


def test_nothing_is_tried_twice(mcpy: Mcpy, ward: Answering, server: Server) -> None:
    ward.answers["GET /minio/kms/v1/status"] = s3_error(503, "SlowDown")
    assert doctor(mcpy).exit_code == 6
    asked = [call for call in server.calls if call.startswith("GET /minio/kms/v1/status")]
    assert len(asked) == 1
