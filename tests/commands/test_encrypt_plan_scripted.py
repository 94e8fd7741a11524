"""``encrypt plan`` and ``apply`` over scripted servers: who is asked for keys, and what fails."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from mcpy.commands.encrypt.desired import ItemShown
from mcpy.fleet.plan.item import Item
from mcpy.models import Alias, KesProfile
from tests.running import ACCESS_KEY, KES_API_KEY, SECRET_KEY, URL, Mcpy, Result
from tests.stub import ETAG, Answering, kes_error, s3_error, xml

if TYPE_CHECKING:
    from pathlib import Path

    from tests.stub import Reply, Server

NO_DEFAULT = s3_error(404, "ServerSideEncryptionConfigurationNotFoundError")
NO_POLICY = s3_error(404, "NoSuchBucketPolicy")
NO_SUCH_BUCKET = s3_error(404, "NoSuchBucket")
DATA_KEY = {
    "plaintext": base64.b64encode(bytes(32)).decode(),
    "ciphertext": base64.b64encode(b"sealed").decode(),
}
KEYS = '[keys."play/k"]\ncreate = true\n'
BUCKET = '[buckets."play/bbb"]\nencryption = "sse-kms"\nkey = "k"\n'


SILENT = 'kes: connection error: Post "https://kes": dial tcp: connection refused'


def default(algorithm: str, key: str = "") -> httpx.Response:
    element = f"<KMSMasterKeyID>{key}</KMSMasterKeyID>" if key else ""
    return xml(
        200,
        "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>"
        f"<SSEAlgorithm>{algorithm}</SSEAlgorithm>{element}"
        "</ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>",
    )


def buckets(*names: str) -> httpx.Response:
    listed = "".join(f"<Bucket><Name>{name}</Name></Bucket>" for name in names)
    body = f"<ListAllMyBucketsResult><Buckets>{listed}</Buckets></ListAllMyBucketsResult>"
    return xml(200, body)


def key_status(problem: str = "", key: str = "k") -> httpx.Response:
    found = {"key-id": key} | ({"encryption-error": problem} if problem else {})
    return httpx.Response(200, json=found)


@pytest.fixture
def minio(server: Server) -> dict[str, Reply]:
    """The answers of a MinIO with a key ``k`` and one bucket ``bbb``."""
    answers: dict[str, Reply] = {
        "GET /": buckets("bbb"),
        "GET /minio/kms/v1/key/status": key_status(),
        "GET /minio/kms/v1/status": httpx.Response(200, json={"default-key-id": "main"}),
        "GET /bbb?encryption": NO_DEFAULT,
        "GET /bbb?policy": NO_POLICY,
    }
    server.afterwards = Answering(answers)
    return answers


@pytest.fixture
def other(minio: dict[str, Reply]) -> dict[str, Reply]:
    """The answers of an S3 server that is no MinIO."""
    minio["GET /minio/"] = NO_SUCH_BUCKET
    for name in [name for name in minio if name.startswith("GET /minio/kms")]:
        del minio[name]
    return minio


@pytest.fixture
def with_kes(mcpy: Mcpy) -> None:
    profile = KesProfile("https://kes.test:7373", api_key=KES_API_KEY)
    mcpy.store.put(Alias("play", URL, ACCESS_KEY, SECRET_KEY, kes=profile))


def run(mcpy: Mcpy, verb: str, text: str, *options: str) -> Result:
    return mcpy("--json", "encrypt", verb, "-", *options, stdin=text)


def item(result: Result, what: str) -> dict[str, Any]:
    return next(line for line in result.objects if line.get("what") == what)


def then(*replies: httpx.Response) -> Reply:
    """Answer one after the other, the last for ever."""
    rest = list(replies)
    return lambda _: (
        rest.pop(0)
        if len(rest) > 1
        else httpx.Response(rest[0].status_code, headers=rest[0].headers, content=rest[0].content)
    )


def test_a_key_is_made_by_the_server_where_the_alias_names_no_kes(
    mcpy: Mcpy, server: Server, minio: dict[str, Reply]
) -> None:
    minio["GET /minio/kms/v1/key/status"] = then(key_status("does not exist"), key_status())
    minio["POST /minio/kms/v1/key/create"] = httpx.Response(200)
    result = run(mcpy, "apply", KEYS)
    assert (result.exit_code, item(result, "key")["state"]) == (0, "done")
    assert "POST /minio/kms/v1/key/create?key-id=k" in server.calls


@pytest.mark.usefixtures("with_kes")
def test_a_key_is_made_at_the_kes_of_the_alias(
    mcpy: Mcpy, server: Server, minio: dict[str, Reply]
) -> None:
    minio["GET /minio/kms/v1/key/status"] = then(key_status("does not exist"), key_status())
    minio["PUT /v1/key/create/k"] = httpx.Response(200)
    assert run(mcpy, "apply", KEYS).exit_code == 0
    assert "PUT /v1/key/create/k" in server.calls


@pytest.mark.usefixtures("with_kes")
def test_a_key_that_somebody_made_meanwhile_is_as_good(
    mcpy: Mcpy, minio: dict[str, Reply]
) -> None:
    minio["GET /minio/kms/v1/key/status"] = then(key_status("does not exist"), key_status())
    minio["PUT /v1/key/create/k"] = kes_error(400, "key already exists")
    assert run(mcpy, "apply", KEYS).exit_code == 0


@pytest.mark.usefixtures("with_kes")
def test_a_key_that_the_server_does_not_see_was_made_at_another_kes(
    mcpy: Mcpy, minio: dict[str, Reply]
) -> None:
    minio["GET /minio/kms/v1/key/status"] = key_status("key does not exist")
    minio["PUT /v1/key/create/k"] = httpx.Response(200)
    result = run(mcpy, "apply", KEYS + BUCKET)
    assert result.exit_code == 1
    assert "was made and cannot be used: key does not exist" in item(result, "key")["note"]
    assert item(result, "default")["note"] == "its key `k` cannot be used"


def test_a_refused_creation_leaves_the_buckets_of_the_key_alone(
    mcpy: Mcpy, server: Server, minio: dict[str, Reply]
) -> None:
    minio["GET /minio/kms/v1/key/status"] = key_status("key does not exist")
    minio["POST /minio/kms/v1/key/create"] = s3_error(403, "AccessDenied")
    result = run(mcpy, "apply", KEYS + BUCKET)
    assert result.exit_code == 1  # denied, and not there: no one code stands for both
    assert not [call for call in server.calls if call.startswith("PUT ")]


def test_the_servers_own_default_key_is_not_made_anew_either(
    mcpy: Mcpy, minio: dict[str, Reply]
) -> None:
    minio["GET /minio/kms/v1/key/status"] = key_status("key does not exist", "main")
    result = run(mcpy, "plan", KEYS.replace("/k", "/main"))
    assert (result.exit_code, item(result, "key")["note"]) == (
        3,
        "the server `play` encrypts by it already: mcpy kes key import main @BACKUP",
    )
    minio["GET /minio/kms/v1/status"] = s3_error(403, "AccessDenied")
    assert item(run(mcpy, "plan", KEYS.replace("/k", "/main")), "key")["state"] == "change"


def test_a_key_that_does_not_work_is_a_finding_for_its_buckets_too(
    mcpy: Mcpy, minio: dict[str, Reply]
) -> None:
    minio["GET /minio/kms/v1/key/status"] = key_status("connection refused")
    result = run(mcpy, "plan", BUCKET + '[keys."play/k"]\n')
    assert result.exit_code == 3
    assert item(result, "key")["note"] == "the key `k` does not work: connection refused"
    assert item(result, "default")["state"] == "finding"


def test_a_server_without_a_kms_fails(mcpy: Mcpy, minio: dict[str, Reply]) -> None:
    minio["GET /minio/kms/v1/key/status"] = s3_error(501, "NotImplemented")
    result = run(mcpy, "plan", KEYS)
    assert (result.exit_code, item(result, "key")["state"]) == (7, "failed")
    assert run(mcpy, "plan", BUCKET).exit_code == 7


def test_a_kms_that_fails_is_no_missing_key(mcpy: Mcpy, minio: dict[str, Reply]) -> None:
    minio["GET /minio/kms/v1/key/status"] = s3_error(500, "InternalError")
    assert run(mcpy, "plan", KEYS, "--retries", "0").exit_code == 1


def test_where_nobody_can_be_asked_for_keys_that_is_said(
    mcpy: Mcpy, server: Server, other: dict[str, Reply]
) -> None:
    assert "GET /minio/" in other
    result = run(mcpy, "plan", KEYS + BUCKET)
    assert item(result, "key")["state"] == "unchecked"
    assert item(result, "default")["note"] == "nobody can be asked whether its key works"
    assert server.requests


def test_without_a_bucket_to_try_it_in_a_default_is_set_with_a_warning(
    mcpy: Mcpy, server: Server, other: dict[str, Reply]
) -> None:
    other["PUT /mcpy-canary-"] = s3_error(403, "AccessDenied", "no")
    other["GET /bbb?encryption"] = then(NO_DEFAULT, NO_DEFAULT, default("aws:kms", "k"))
    other["PUT /bbb?encryption"] = httpx.Response(200)
    result = run(mcpy, "apply", BUCKET)
    assert result.exit_code == 0
    assert "no bucket can be made at s3.test:9000 to try it in: AccessDenied: no" in result.stderr
    assert result.stderr.endswith(": the default is set untried\n")
    assert "PUT /bbb?encryption=" in server.calls


@pytest.mark.usefixtures("with_kes")
@pytest.mark.parametrize(
    ("generated", "decrypted", "state"),
    [
        (httpx.Response(200, json=DATA_KEY), httpx.Response(200, json=DATA_KEY), "same"),
        (
            httpx.Response(200, json=DATA_KEY),
            httpx.Response(200, json={"plaintext": base64.b64encode(b"x").decode()}),
            "finding",
        ),
        (kes_error(404, "key does not exist"), httpx.Response(200), "change"),
        (kes_error(500, "boom"), httpx.Response(200), "finding"),
        (kes_error(403, "not authorized"), httpx.Response(200), "unchecked"),
    ],
)
def test_behind_another_server_the_kes_of_the_alias_is_asked(
    mcpy: Mcpy,
    other: dict[str, Reply],
    generated: httpx.Response,
    decrypted: httpx.Response,
    state: str,
) -> None:
    other["PUT /v1/key/generate/k"] = generated
    other["PUT /v1/key/decrypt/k"] = decrypted
    result = run(mcpy, "plan", KEYS, "--retries", "0")
    assert item(result, "key")["state"] == state


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (s3_error(501, "NotImplemented"), 7),
        (xml(200, "<ListBucketResult/>"), 7),
        (s3_error(403, "AccessDenied"), 4),
    ],
)
def test_a_bucket_that_cannot_be_read_fails_and_is_not_touched(
    mcpy: Mcpy, server: Server, minio: dict[str, Reply], answer: httpx.Response, code: int
) -> None:
    minio["GET /bbb?encryption"] = answer
    result = run(mcpy, "apply", '[buckets."play/bbb"]\nencryption = "none"\n')
    assert (result.exit_code, item(result, "bucket")["state"]) == (code, "failed")
    assert {call.partition(" ")[0] for call in server.calls} == {"GET"}


def test_patterns_need_the_list_of_buckets(mcpy: Mcpy, minio: dict[str, Reply]) -> None:
    minio["GET /"] = s3_error(403, "AccessDenied")
    text = BUCKET + '[buckets."play/b*"]\nencryption = "sse-s3"\n'
    result = run(mcpy, "plan", text)
    assert result.exit_code == 8
    assert item(result, "bucket")["target"] == "play/b*"
    assert item(result, "default")["state"] == "change"


def test_a_failure_is_said_with_its_target(mcpy: Mcpy, minio: dict[str, Reply]) -> None:
    minio["GET /ccc?encryption"] = s3_error(403, "AccessDenied", "no")
    text = '[buckets."play/bbb"]\nencryption = "none"\n[buckets."play/ccc"]\nencryption = "none"\n'
    result = mcpy("encrypt", "plan", "-", stdin=text)
    assert (result.exit_code, result.stdout) == (8, "x\tbucket\tplay/ccc\t\t\n")
    assert result.stderr.startswith(
        "mcpy: error: play/ccc: AccessDenied: no (s3:GetEncryptionConfiguration is needed)\n"
    )
    assert minio


def test_a_person_reads_columns() -> None:
    found = Item("play/bbb", "default", "change", "none", "sse-s3", "a note")
    assert ItemShown("plan", found, 10).text() == "~ default  play/bbb    none -> sse-s3  # a note"


def test_a_policy_that_is_no_json_is_left_alone(
    mcpy: Mcpy, server: Server, minio: dict[str, Reply]
) -> None:
    minio["GET /bbb?policy"] = httpx.Response(200, text="nonsense")
    result = run(mcpy, "apply", '[buckets."play/bbb"]\nuploads = "any"\n')
    assert (result.exit_code, item(result, "bucket")["state"]) == (1, "failed")
    assert not [call for call in server.calls if not call.startswith("GET ")]


OURS = {"Sid": "McpyUploadsOld", "Effect": "Deny", "Principal": "*", "Action": "s3:PutObject"}
THEIRS = {"Sid": "theirs", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}


def policy(*statements: dict[str, str]) -> httpx.Response:
    return httpx.Response(200, json={"Version": "x", "Statement": list(statements)})


def test_a_policy_that_somebody_changed_meanwhile_is_left_alone(
    mcpy: Mcpy, server: Server, minio: dict[str, Reply]
) -> None:
    minio["GET /bbb?policy"] = then(policy(OURS), policy(OURS, THEIRS))
    result = run(mcpy, "apply", '[buckets."play/bbb"]\nuploads = "any"\n')
    assert result.exit_code == 1
    assert item(result, "uploads")["note"] == (
        "somebody changed the policy of `play/bbb` meanwhile: it was left alone"
    )
    assert not [call for call in server.calls if not call.startswith("GET ")]


def test_a_policy_is_read_back(mcpy: Mcpy, server: Server, minio: dict[str, Reply]) -> None:
    minio["GET /bbb?policy"] = policy(OURS, THEIRS)
    minio["PUT /bbb?policy"] = httpx.Response(204)
    result = run(mcpy, "apply", '[buckets."play/bbb"]\nuploads = "any"\n')
    assert (result.exit_code, item(result, "uploads")["note"]) == (
        1,
        "the server took the policy of `play/bbb` and shows another",
    )
    (sent,) = [request for request in server.requests if request.method == "PUT"]
    assert json.loads(sent.content) == {"Version": "x", "Statement": [THEIRS]}


def test_a_policy_that_went_away_by_itself_is_gone(
    mcpy: Mcpy, server: Server, minio: dict[str, Reply]
) -> None:
    minio["GET /bbb?policy"] = then(policy(OURS), policy(OURS), NO_POLICY)
    minio["DELETE /bbb?policy"] = NO_POLICY
    assert run(mcpy, "apply", '[buckets."play/bbb"]\nuploads = "any"\n').exit_code == 0
    minio["GET /bbb?policy"] = policy(OURS)
    minio["DELETE /bbb?policy"] = s3_error(403, "AccessDenied")
    assert run(mcpy, "apply", '[buckets."play/bbb"]\nuploads = "any"\n').exit_code == 4
    assert "DELETE /bbb?policy=" in server.calls


def test_a_rule_without_an_algorithm_is_cleared_where_the_file_says_none(
    mcpy: Mcpy, server: Server, minio: dict[str, Reply]
) -> None:
    minio["GET /bbb?encryption"] = then(default(""), default(""), default(""), NO_DEFAULT)
    minio["DELETE /bbb?encryption"] = httpx.Response(204)
    result = run(mcpy, "apply", '[buckets."play/bbb"]\nencryption = "none"\n')
    assert (result.exit_code, item(result, "default")["have"]) == (
        0,
        "a rule that names no algorithm",
    )
    assert server.calls[-2:] == ["DELETE /bbb?encryption=", "GET /bbb?encryption="]


def test_a_default_keeps_what_the_file_has_no_word_for(
    mcpy: Mcpy, server: Server, minio: dict[str, Reply]
) -> None:
    before = default("AES256").text.replace(
        "</Rule>",
        "<BucketKeyEnabled>true</BucketKeyEnabled><BlockedEncryptionTypes><EncryptionType>SSE-C"
        "</EncryptionType></BlockedEncryptionTypes></Rule>",
    )
    minio["GET /bbb?encryption"] = then(
        xml(200, before), xml(200, before), default("aws:kms", "k")
    )
    minio["PUT /bbb?encryption"] = httpx.Response(200)
    assert run(mcpy, "apply", BUCKET).exit_code == 0
    (sent,) = [request for request in server.requests if request.method == "PUT"]
    assert b"<BucketKeyEnabled>true</BucketKeyEnabled>" in sent.content
    assert b"<EncryptionType>SSE-C</EncryptionType>" in sent.content


def test_a_key_that_ends_between_look_and_act_stops_the_default(
    mcpy: Mcpy, server: Server, minio: dict[str, Reply]
) -> None:
    minio["GET /minio/kms/v1/key/status"] = then(key_status(), key_status("does not exist"))
    result = run(mcpy, "apply", BUCKET)
    assert (result.exit_code, item(result, "default")["state"]) == (5, "failed")
    assert not [call for call in server.calls if call.startswith("PUT ")]


def test_no_uploads_are_refused_where_the_default_is_not_as_wanted(
    mcpy: Mcpy, server: Server, minio: dict[str, Reply]
) -> None:
    minio["GET /minio/kms/v1/key/status"] = key_status("connection refused")
    result = run(mcpy, "apply", BUCKET + 'uploads = "same-or-default"\n')
    assert result.exit_code == 1
    assert (item(result, "default")["state"], item(result, "uploads")["note"]) == (
        "finding",
        "its default encryption is not as wanted, and comes first",
    )
    assert {call.partition(" ")[0] for call in server.calls} == {"GET"}


def test_what_cannot_be_exported_is_said_in_a_comment(mcpy: Mcpy, minio: dict[str, Reply]) -> None:
    minio["GET /"] = buckets("aaa", "bbb")
    minio["GET /aaa?encryption"] = default("aws:kms:dsse", "k")
    minio["GET /bbb?encryption"] = default("AES256")
    minio["GET /bbb?policy"] = policy(OURS)
    minio["GET /minio/kms/v1/key/list"] = s3_error(403, "AccessDenied")
    exported = mcpy("encrypt", "plan", "--export", "play").stdout
    assert "# The keys of `play` cannot be listed: these are those in use." in exported
    assert "# its default is `aws:kms:dsse`, which this file has no word for" in exported
    assert "# its policy holds statements of mcpy's that were changed" in exported


def test_one_file_at_a_time(mcpy: Mcpy) -> None:
    refused = mcpy("encrypt", "plan", "a.toml", "b.toml")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "one FILE at a time" in refused.stderr


VERSIONS = "GET /bbb?encoding-type=url&max-keys=1000&metadata=true&versions="


def listed(*objects: str) -> httpx.Response:
    body = "".join(objects)
    return xml(200, f"<ListBucketResult><IsTruncated>false</IsTruncated>{body}</ListBucketResult>")


def stored(key: str, sse: str) -> str:
    return (
        f"<Contents><Key>{key}</Key><Size>1</Size><UserMetadata>"
        f"<X-Amz-Server-Side-Encryption>{sse}</X-Amz-Server-Side-Encryption>"
        "</UserMetadata></Contents>"
    )


def test_objects_are_looked_at_without_versions_where_a_server_has_none(
    mcpy: Mcpy, minio: dict[str, Reply]
) -> None:
    minio["GET /bbb?"] = s3_error(501, "NotImplemented")
    minio["GET /bbb?encoding-type=url&list-type=2"] = listed(stored("a", "AES256"))
    result = run(mcpy, "plan", '[buckets."play/bbb"]\nrequire = "sse-s3"\n')
    assert (result.exit_code, item(result, "objects")["have"]) == (0, "all 1 are sse-s3")


def test_objects_that_nobody_may_look_at_are_not_as_required(
    mcpy: Mcpy, minio: dict[str, Reply]
) -> None:
    minio["GET /bbb?"] = s3_error(501, "NotImplemented")
    minio["GET /bbb?encoding-type=url&list-type=2"] = listed(
        "<Contents><Key>a</Key><Size>1</Size></Contents>"
    )
    minio["HEAD /bbb/a"] = httpx.Response(403)
    text = '[buckets."play/bbb"]\nrequire = "sse-kms"\n'
    result = run(mcpy, "plan", text)
    assert (result.exit_code, item(result, "objects")["note"]) == (
        3,
        "1 unknown, such as `play/bbb/a`: mcpy doctor says why",
    )
    minio["HEAD /bbb/a"] = httpx.Response(200, headers={"content-length": "1", **ETAG})
    assert item(run(mcpy, "plan", text), "objects")["note"].endswith("--to sse-kms:KEY")
    minio["GET /bbb?encoding-type=url&list-type=2"] = s3_error(403, "AccessDenied")
    assert run(mcpy, "plan", text).exit_code == 4


def test_a_kms_that_is_away_is_an_outage_and_no_drift(
    mcpy: Mcpy, minio: dict[str, Reply], tmp_path: Path
) -> None:
    minio["GET /minio/kms/v1/key/status"] = key_status(SILENT)
    minio["GET /bbb?encryption"] = default("aws:kms", "k")
    file = tmp_path / "e.toml"
    file.write_text(KEYS + BUCKET)
    result = mcpy("encrypt", "plan", str(file))
    assert result.exit_code == 6
    assert "error: play/k: the KMS of `play` does not answer it\n" in result.stderr
    assert "differ" not in result.stderr
    assert "broken" not in result.stdout


def test_a_default_that_is_as_wanted_and_whose_key_fails_is_no_difference_from_itself(
    mcpy: Mcpy, minio: dict[str, Reply], tmp_path: Path
) -> None:
    minio["GET /minio/kms/v1/key/status"] = key_status("key is not what it was")
    minio["GET /bbb?encryption"] = default("aws:kms", "k")
    file = tmp_path / "e.toml"
    file.write_text(BUCKET)
    result = mcpy("encrypt", "plan", str(file))
    assert result.exit_code == 3
    (line,) = result.stdout.splitlines()
    assert line.startswith("!\tdefault\tplay/bbb\tsse-kms:k\t")
