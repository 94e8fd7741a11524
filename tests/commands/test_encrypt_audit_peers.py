"""Audit, impact and explain on a real MinIO with a real KES, by TLS, with throw-away keys."""

from __future__ import annotations

import json
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from mcpy.api.http import Deadline, HttpOptions
from mcpy.api.s3 import S3
from mcpy.api.s3info import customer_headers
from mcpy.fleet.inventory import KmsDownError, scan
from mcpy.models import Alias, BucketEncryption, CustomerKey
from tests.peers.world import BIN, KEY, MISSING, PASSWORD, USER, World, do_the_page, wait_for
from tests.s3_calls import S3 as SSE_S3
from tests.s3_calls import kms_with

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.running import Mcpy

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(bool(MISSING), reason=f"MCPY_PEERS_BIN lacks {', '.join(MISSING)}"),
]

SSE_C = customer_headers(CustomerKey(b"K" * 32))
CONTEXT = '{"team":"a"}'
NAMES = ["%41", "a b+c", "ctl\x01\x1f", "dir/", "q?x=y&z", "ü/Ж/漢", "~", "<&'\">", "t\ty"]


class SecureWorld(World):
    """The servers with TLS for S3 too, as SSE-C wants it."""

    @property
    def alias(self) -> Alias:
        """The server as an alias that trusts its certificate."""
        url = f"https://127.0.0.1:{self.s3_port}"
        return Alias("play", url, USER, PASSWORD, ca=str(self.folder / "server.cert"))

    @property
    def mcpy(self) -> Mcpy:
        """Our own command line, with that alias."""
        made = super().mcpy
        made.store.put(self.alias)
        return made

    def client(self, access: str = USER, secret: str = PASSWORD) -> S3:
        """Return a client of one user."""
        alias = Alias("play", self.alias.url, access, secret)
        return S3(alias, HttpOptions(Deadline(60), ca=self.folder / "server.cert"))

    def start_minio(self) -> None:
        certs = self.folder / "certs"
        certs.mkdir(exist_ok=True)
        shutil.copy(self.folder / "server.cert", certs / "public.crt")
        shutil.copy(self.folder / "server.key", certs / "private.key")
        super().start_minio()

    def admin(self, *args: str) -> None:
        """Run `mc admin` with the root user's keys."""
        host = {"MC_HOST_play": f"https://{USER}:{PASSWORD}@127.0.0.1:{self.s3_port}"}
        command = [str(BIN / "mc"), "--config-dir", str(self.folder / "mc"), "--insecure", "admin"]
        environ = self.environ | host
        subprocess.run([*command, *args], env=environ, check=True, capture_output=True, timeout=60)

    def default_key(self, key: str) -> None:
        """Make the server use another default key."""
        for line in (
            ("admin", "kms", "env", "play", "--key", key, "--write", str(self.env_file)),
            ("admin", "service", "restart", "play"),
        ):
            result = self.mcpy(*line)
            assert result.exit_code == 0, result


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureWorld]:
    with SecureWorld(tmp_path_factory.mktemp("world")) as running:
        do_the_page(running)
        for key in ("tenant-a", "tenant-b"):
            assert running.mcpy("kes", "key", "create", key).exit_code == 0
        yield running


@pytest.fixture
def s3(world: SecureWorld) -> Iterator[S3]:
    client = world.client()
    yield client
    client.http.close()


def put(s3: S3, bucket: str, key: str, headers: dict[str, str] | None = None) -> str:
    return s3.put_object(bucket, key, b"content", headers=headers or {}).version_id


def audited(world: SecureWorld, *args: str, code: int = 0) -> list[dict[str, Any]]:
    result = world.mcpy("--json", "encrypt", "audit", *args)
    assert result.exit_code == code, result
    return result.objects


def counts(bucket: dict[str, Any]) -> dict[tuple[str, str], tuple[int, int]]:
    return {
        (group["scheme"], group["keyId"]): (group["objects"], group["olderVersions"])
        for group in bucket["encryption"]
    }


def test_a_mixture_is_counted_as_it_was_stored(world: SecureWorld, s3: S3) -> None:
    s3.make_bucket("mixture", with_lock=True)
    lock = {
        "x-amz-object-lock-mode": "GOVERNANCE",
        "x-amz-object-lock-retain-until-date": "2036-01-01T00:00:00Z",
        "x-amz-object-lock-legal-hold": "ON",
    }
    for headers in ({}, SSE_S3, kms_with("tenant-a"), kms_with("tenant-b", CONTEXT), SSE_C):
        put(s3, "mixture", "five-versions", headers)
    for name in NAMES:
        put(s3, "mixture", name, SSE_S3)
    put(s3, "mixture", "locked", {**lock, **kms_with("tenant-a")})
    put(s3, "mixture", "weird-1", {**SSE_S3, "x-amz-meta-a!b": "1"})
    put(s3, "mixture", "weird-2", {**kms_with("tenant-b"), "x-amz-meta-a'b": "&<"})
    put(s3, "mixture", "deleted", SSE_S3)
    s3.delete_object("mixture", "deleted")
    s3.put_bucket_encryption("mixture", BucketEncryption("aws:kms", "tenant-a"), current=None)
    put(s3, "mixture", "by-default")
    bucket, _ = audited(world, "--decrypt-check", "all", "play/mixture")
    assert counts(bucket) == {
        ("plain", ""): (0, 1),
        ("sse-s3", ""): (len(NAMES) + 1, 2),
        ("sse-kms", "tenant-a"): (2, 1),
        ("sse-kms", "tenant-b"): (1, 1),
        ("sse-c", ""): (1, 0),
    }
    assert (bucket["deleteMarkers"], bucket["complete"], bucket["named"]) == (1, True, [])
    assert bucket["default"] == {"scheme": "sse-kms", "keyId": "tenant-a"}
    assert [group["notOpened"] for group in bucket["encryption"]] == [0, 0, 0, 0, 0]
    assert sum(group["opened"] for group in bucket["encryption"]) == len(NAMES) + 8
    items = {item.key: item for item in scan(s3, "mixture", versions=False)}
    assert set(NAMES) < set(items)
    assert items["weird-2"].key_id == "tenant-b"
    contexts = [i.context for i in scan(s3, "mixture", "five-versions") if i.context]
    assert len(contexts) == 1


def test_every_version_comes_newest_first_as_minio_lists_them(s3: S3) -> None:
    s3.make_bucket("order")
    s3.set_versioning("order", status="Enabled")
    for number in range(5):
        put(s3, "order", "k", kms_with("tenant-a") if number % 2 else {})
        put(s3, "order", "k/below")
    mine = [(item.key, item.version_id) for item in scan(s3, "order")]
    assert mine == [(entry.key, entry.version_id) for entry in s3.list_versions("order")]
    assert [item.state for item in scan(s3, "order", "k")][:5] == [
        *("plain", "sse-kms", "plain", "sse-kms", "plain"),
    ]


def test_without_permission_to_read_nothing_is_called_plain(
    world: SecureWorld, s3: S3, tmp_path: Path
) -> None:
    s3.make_bucket("guarded")
    put(s3, "guarded", "a")
    put(s3, "guarded", "b", SSE_S3)
    policy = tmp_path / "policy.json"
    actions = ["s3:ListBucket", "s3:ListBucketVersions", "s3:GetEncryptionConfiguration"]
    statement = {"Effect": "Allow", "Action": actions, "Resource": ["arn:aws:s3:::*"]}
    policy.write_text(json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    world.admin("user", "add", "play", "lister", "lister-throw-away")
    world.admin("policy", "create", "play", "list-only", str(policy))
    world.admin("policy", "attach", "play", "list-only", "--user", "lister")
    lister = world.client("lister", "lister-throw-away")
    items = list(scan(lister, "guarded"))
    lister.http.close()
    assert [(item.key, item.state) for item in items] == [("a", "unknown"), ("b", "unknown")]
    assert all("s3:GetObject is needed" in item.why for item in items)


def test_who_may_not_list_every_bucket_is_told_that_some_may_be_missing(
    world: SecureWorld, s3: S3, tmp_path: Path
) -> None:
    for bucket in ("seen", "hidden"):
        s3.make_bucket(bucket)
    policy = tmp_path / "policy.json"
    resources = ["arn:aws:s3:::seen", "arn:aws:s3:::seen/*"]
    statement = {"Effect": "Allow", "Action": ["s3:*"], "Resource": resources}
    policy.write_text(json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    world.admin("user", "add", "play", "one-bucket", "one-bucket-throw-away")
    world.admin("policy", "create", "play", "one-bucket", str(policy))
    world.admin("policy", "attach", "play", "one-bucket", "--user", "one-bucket")
    mcpy = world.mcpy
    mcpy.store.put(
        replace(world.alias, access_key="one-bucket", secret_key="one-bucket-throw-away")
    )
    result = mcpy("encrypt", "audit", "play")
    assert (result.exit_code, result.stdout.split("\t")[1]) == (8, "play/seen")
    assert "play: whether these are all its buckets is not known" in result.stderr
    assert mcpy("encrypt", "audit", "play/seen").exit_code == 0


# none below the name of another, such as `a/b`: MinIO stores that, and no listing shows it
LOST = ["a", "a.txt", "data/obj-0001", "data/obj-0002", "sp ace +%", "uni-ü漢", "zed/"]
FOUND = ["0first", "data/obj-0000", "data/obj-0003", "mid", "zz"]


def test_objects_of_a_lost_default_key_are_named_and_the_others_listed(
    world: SecureWorld, s3: S3
) -> None:
    assert world.mcpy("kes", "key", "create", "doomed").exit_code == 0
    for place in ("lossy", "lossy-versions"):
        s3.make_bucket(place)
    s3.set_versioning("lossy-versions", status="Enabled")
    for place in ("lossy", "lossy-versions"):
        for name in FOUND:
            put(s3, place, name, SSE_S3)
        put(s3, place, "plain")
        put(s3, place, "other", kms_with("tenant-a"))
    put(s3, "lossy-versions", "a", SSE_S3)
    world.default_key("doomed")
    for place in ("lossy", "lossy-versions"):
        for name in LOST:
            put(s3, place, name, SSE_S3)
    put(s3, "lossy-versions", "gone", SSE_S3)
    s3.delete_object("lossy-versions", "gone")
    world.default_key(KEY)
    impact = world.mcpy("encrypt", "impact", "doomed", "play")
    assert impact.exit_code == 8, impact  # no server tells the key of SSE-S3 objects
    refused = world.mcpy("kes", "key", "rm", "--yes", "--impact-on", "play", "doomed")
    assert refused.exit_code == 3, refused
    line = refused.stderr.split("hint: mcpy ")[1]
    assert world.mcpy(*line.split()).exit_code == 0

    found = {item.key: item for item in scan(s3, "lossy")}
    assert sorted(found) == sorted([*LOST, *FOUND, "plain", "other"])
    assert {key for key, item in found.items() if item.state == "unreadable"} == set(LOST)
    assert found["a"].why.startswith("kms:KeyNotFound")
    bucket, _, error = audited(world, "--require", "any", "play/lossy", code=3)
    assert (bucket["violations"], bucket["complete"]) == (len(LOST) + 1, True)
    assert error["error"]["message"].startswith(f"{len(LOST) + 1} of ")

    versions = [(i.key, i.state, i.rest_unknown) for i in scan(s3, "lossy-versions")]
    assert versions[:3] == [
        ("0first", "sse-s3", False),
        ("a", "unreadable", False),
        ("a", "sse-s3", False),
    ]
    assert ("gone", "", False) in versions
    assert ("gone", "unreadable", True) in versions
    bucket, *_ = audited(world, "play/lossy-versions", code=8)
    assert (bucket["gaps"], bucket["complete"]) == (1, False)
    text = world.mcpy("encrypt", "explain", "play/lossy/a").stdout
    assert "DOES NOT OPEN: kms:KeyNotFound" in text


def test_one_lost_key_of_sse_kms_is_found_by_a_byte_alone(world: SecureWorld, s3: S3) -> None:
    assert world.mcpy("kes", "key", "create", "short-lived").exit_code == 0
    s3.make_bucket("quiet")
    put(s3, "quiet", "k", kms_with("short-lived"))
    put(s3, "quiet", "other", kms_with("tenant-a"))
    gate = ("--impact-on", "play", "--never-default", "--impact-accepted")
    refused = world.mcpy("kes", "key", "rm", "--yes", *gate, "0", "short-lived")
    assert refused.exit_code == 3, refused
    assert "play/quiet/k" in refused.stderr
    assert world.mcpy("kes", "key", "rm", "--yes", "--without-impact", "short-lived")[0] == 0
    bucket, _ = audited(world, "play/quiet")
    assert bucket["named"] == []
    bucket, *_ = audited(world, "--decrypt-check", "5", "play/quiet", code=3)
    (lost,) = [group for group in bucket["encryption"] if group["scheme"] == "unreadable"]
    assert (lost["keyId"], lost["objects"], lost["notOpened"]) == ("short-lived", 1, 1)
    assert [named["key"] for named in bucket["named"]] == ["k"]


def test_a_kes_that_goes_away_halfway_is_told_and_a_resumed_audit_is_whole(
    world: SecureWorld, s3: S3, tmp_path: Path
) -> None:
    s3.make_bucket("many")
    keys = [f"obj-{number:05}" for number in range(2100)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda key: put(s3, "many", key, SSE_S3), keys))
    items = scan(s3, "many")
    first = [next(items).key for _ in range(500)]
    world.kill_kes()
    with pytest.raises(KmsDownError) as raised:
        first += [item.key for item in items]
    assert raised.value.code == 6
    assert first == keys[: len(first)]
    state = tmp_path / "state"
    line = ("encrypt", "audit", "--resume", str(state), "play/many")
    assert world.mcpy(*line).exit_code == 6
    world.start_kes()
    wait_for(world.kes_port)
    bucket, _ = audited(world, "--resume", str(state), "play/many")
    assert counts(bucket) == {("sse-s3", ""): (2100, 0)}


def test_the_chain_of_a_real_object_is_explained(world: SecureWorld, s3: S3) -> None:
    s3.make_bucket("chain")
    put(s3, "chain", "k", kms_with("tenant-b", CONTEXT))
    put(s3, "chain", "c", SSE_C)
    (found,) = world.mcpy("--json", "encrypt", "explain", "play/chain/k").objects
    assert (found["server"], found["keyId"], found["works"]) == ("minio", "tenant-b", True)
    assert (found["context"], found["opens"], found["defaultKeyId"]) == (CONTEXT, True, KEY)
    assert "KES" in found["stages"][0]["lives"]
    (found,) = world.mcpy("--json", "encrypt", "explain", "play/chain/c").objects
    assert found["scheme"] == "sse-c"
