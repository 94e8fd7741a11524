"""The commands for objects over real sockets: the embedded KES and S3 server, by TLS."""

from __future__ import annotations

import base64
import os
import random
from typing import TYPE_CHECKING

import pytest

from mcpy.api.http import HttpOptions
from mcpy.api.multipart import MultipartUpload, list_uploads
from mcpy.api.s3 import S3
from mcpy.errors import Interrupted
from mcpy.fleet.transfer import Limits, Pace, Place, Stop, Wish, copy, download, pour, upload
from mcpy.models import CustomerKey, KeyName, ObjectEncryption, Target
from mcpy.sandbox.play import Sandbox
from tests.running import Mcpy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.sandbox

MIB = 1024**2
SIZES = Limits(part=5 * MIB, ranges_from=2 * MIB, range=MIB, copy=6 * MIB, copy_part=5 * MIB)
OWN = ObjectEncryption(
    customer=True, customer_key=CustomerKey(b"throw-away-key-of-thirty-2-bytes")
)
KMS = ObjectEncryption("aws:kms", KeyName(""), base64.b64encode(b'{"team":"a"}').decode())
ENCRYPTIONS = [None, ObjectEncryption("AES256"), KMS, OWN]
IDS = ["plain", "sse-s3", "sse-kms", "sse-c"]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox(tmp_path_factory.mktemp("play"), tls=True, kms_key="my-key") as running:
        yield running


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[S3]:
    made = S3(sandbox.alias(), HttpOptions(ca=sandbox.ca))
    yield made
    made.http.close()


@pytest.fixture
def bucket(client: S3) -> str:
    name = f"b-{random.getrandbits(64):x}"
    client.make_bucket(name)
    return name


@pytest.fixture
def run(sandbox: Sandbox, tmp_path: Path) -> Mcpy:
    return Mcpy.on(sandbox, tmp_path)


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "large"
    path.write_bytes(random.Random(7).randbytes(12 * MIB + 345))
    return path


def place(client: S3, bucket: str, key: str, encryption: ObjectEncryption | None = None) -> Place:
    own = encryption.customer_key if encryption else None
    return Place(client, Target("play", bucket, key), key=own)


@pytest.mark.parametrize("encryption", ENCRYPTIONS, ids=IDS)
def test_a_large_file_goes_in_parts_and_comes_back_by_ranges(
    client: S3, bucket: str, large: Path, tmp_path: Path, encryption: ObjectEncryption | None
) -> None:
    there = place(client, bucket, "large", encryption)
    pace = Pace(limits=SIZES)
    stored = upload(large, there, Wish(encryption), pace)
    assert stored.etag.endswith("-3") or stored.encryption.scheme in {"SSE-KMS", "SSE-C"}
    fetched = download(there, tmp_path / "back", pace)
    assert (tmp_path / "back").read_bytes() == large.read_bytes()
    wanted = encryption.scheme if encryption else ""
    assert (stored.encryption.scheme, fetched.encryption.scheme) == (wanted, wanted)
    assert list(list_uploads(client, bucket)) == []


@pytest.mark.parametrize("encryption", ENCRYPTIONS, ids=IDS)
def test_a_copy_in_parts_has_its_source_s_bytes_encryption_and_tags(
    client: S3, bucket: str, large: Path, encryption: ObjectEncryption | None
) -> None:
    source = place(client, bucket, "large", encryption)
    headers = {"x-amz-tagging": "a=b", "x-amz-meta-owner": "me"}
    upload(large, source, Wish(encryption, headers), Pace(limits=SIZES))
    target = place(client, bucket, "copy", encryption)
    wish = Wish(encryption if encryption is OWN else None)
    copied = copy(source, target, wish, Pace(limits=SIZES))
    assert copied.metadata["x-amz-meta-owner"] == "me"
    assert client.object_tags(bucket, "copy") == {"a": "b"}
    assert copied.encryption.scheme == (encryption.scheme if encryption else "")
    assert copied.encryption.context == (KMS.context if encryption is KMS else "")
    content = bytearray()
    pour(target, content.extend)
    assert content == large.read_bytes()


def test_an_interrupted_upload_leaves_nothing(client: S3, bucket: str, large: Path) -> None:
    stop = Stop()
    with pytest.raises(Interrupted):
        upload(
            large,
            place(client, bucket, "o"),
            Wish(),
            Pace(lambda _: stop.set(), limits=SIZES, stop=stop),
        )
    assert list(list_uploads(client, bucket)) == []
    assert list(client.list_objects(bucket)) == []


def test_an_interrupted_upload_is_gone_on_with(client: S3, bucket: str, large: Path) -> None:
    stop, moved = Stop(), list[int]()

    def advance(count: int) -> None:
        moved.append(count)
        if sum(moved) > 6 * MIB:
            stop.set()

    there = place(client, bucket, "o")
    noted = large.parent / "uploads"
    slow = Pace(advance, parallel=1, limits=SIZES, resume=True, begun=noted, stop=stop)
    with pytest.raises(Interrupted):
        upload(large, there, Wish(), slow)
    (begun,) = list_uploads(client, bucket)
    kept = list(MultipartUpload(client, bucket, "o", begun.version_id, {}).parts())
    assert [part.number for part in kept] == [1]
    stored = upload(large, there, Wish(), Pace(limits=SIZES, resume=True, begun=noted))
    assert stored.size == large.stat().st_size
    content = bytearray()
    pour(there, content.extend)
    assert content == large.read_bytes()
    assert list(list_uploads(client, bucket)) == []


def test_an_interrupted_download_is_gone_on_with_and_leaves_one_file(
    client: S3, bucket: str, large: Path, tmp_path: Path
) -> None:
    there, folder = place(client, bucket, "o"), tmp_path / "in"
    folder.mkdir()
    upload(large, there, Wish(), Pace(limits=SIZES))
    stop, moved = Stop(), list[int]()

    def advance(count: int) -> None:
        moved.append(count)
        if sum(moved) > 4 * MIB:
            stop.set()

    with pytest.raises(Interrupted):
        download(there, folder / "o", Pace(advance, limits=SIZES, resume=True, stop=stop))
    (partial,) = folder.iterdir()
    got = partial.read_bytes()
    assert got == large.read_bytes()[: len(got)]
    again: list[int] = []
    download(there, folder / "o", Pace(again.append, limits=SIZES, resume=True))
    assert [path.name for path in folder.iterdir()] == ["o"]
    assert (folder / "o").read_bytes() == large.read_bytes()


def test_an_interrupted_download_leaves_nothing(
    client: S3, bucket: str, large: Path, tmp_path: Path
) -> None:
    there, folder, stop = place(client, bucket, "o"), tmp_path / "in", Stop()
    folder.mkdir()
    upload(large, there, Wish(), Pace(limits=SIZES))
    with pytest.raises(Interrupted):
        download(there, folder / "o", Pace(lambda _: stop.set(), limits=SIZES, stop=stop))
    assert list(folder.iterdir()) == []


def test_a_tree_goes_up_and_comes_down_as_it_was(run: Mcpy, bucket: str, tmp_path: Path) -> None:
    (tmp_path / "tree" / "sub").mkdir(parents=True)
    names = ["a", "sub/b c", "sub/d+e&ü"]
    for name in names:
        (tmp_path / "tree" / name).write_text(name)
    (tmp_path / "tree" / "a").chmod(0o640)
    up = run("cp", "-r", "-a", "--enc-s3", f"play/{bucket}", f"{tmp_path}/tree", f"play/{bucket}")
    assert (up.exit_code, up.stderr) == (0, "")
    assert up.stdout.count("SSE-S3)\n") == 3
    down = run("cp", "-r", "-a", f"play/{bucket}/tree/", f"{tmp_path}/back")
    assert (down.exit_code, down.stderr) == (0, "")
    for name in names:
        assert (tmp_path / "back" / name).read_text() == name
    assert (tmp_path / "back" / "a").stat().st_mode & 0o777 == 0o640
    gone = run("rm", "-r", "--force", f"play/{bucket}/tree")
    assert (gone.exit_code, gone.stdout.count("Removed ")) == (0, 3)
    assert run("ls", f"play/{bucket}") == (0, "", "")


def test_versions_are_listed_rewound_and_removed(
    run: Mcpy, client: S3, bucket: str, tmp_path: Path
) -> None:
    client.set_versioning(bucket, status="Enabled")
    for text in ("one", "two"):
        (tmp_path / "f").write_text(text)
        assert run("cp", f"{tmp_path}/f", f"play/{bucket}/o").exit_code == 0
    assert run("rm", f"play/{bucket}/o").stdout.startswith("Put a delete marker over ")
    lines = run("--json", "ls", "--versions", f"play/{bucket}").objects
    assert [line["versionOrdinal"] for line in lines] == [3, 2, 1]
    oldest = lines[-1]["versionId"]
    assert run("cat", "--vid", oldest, f"play/{bucket}/o").stdout == "one"
    stats = run("--json", "stat", "--versions", f"play/{bucket}/o").objects
    assert [found.get("isDeleteMarker", False) for found in stats] == [True, False, False]
    gone = run("rm", "--versions", "--force", f"play/{bucket}/o")
    assert (gone.exit_code, gone.stdout.count("\n")) == (0, 3)
    assert list(client.list_versions(bucket)) == []


def test_an_sse_c_object_is_as_good_as_its_key(run: Mcpy, bucket: str, tmp_path: Path) -> None:
    key = base64.b64encode(os.urandom(32)).decode()
    run.secrets.add(key.rstrip("="))
    (tmp_path / "key").write_text(key)
    (tmp_path / "f").write_text("hello")
    target, rule = f"play/{bucket}/o", f"play/{bucket}=@{tmp_path}/key"
    assert run("cp", "--enc-c", rule, f"{tmp_path}/f", target).exit_code == 0
    assert run("cat", "--enc-c", rule, target) == (0, "hello", "")
    assert run("cat", target).exit_code == 1
    wrong = f"play/{bucket}={'A' * 43}"
    assert run("cat", "--enc-c", wrong, target).exit_code == 4
    assert run("cp", "--enc-c", f"{target}=@{tmp_path}/key", target, f"{target}2").exit_code == 2


def test_a_pattern_sets_the_default_of_many_buckets(run: Mcpy, client: S3) -> None:
    start = f"many-{random.getrandbits(32):x}"
    for number in range(6):
        client.make_bucket(f"{start}-{number}")
    result = run("encrypt", "set", "sse-s3", f"play/{start}-*")
    assert (result.exit_code, result.stderr) == (0, "")
    assert [line.split("`")[1] for line in result.stdout.splitlines()] == [
        f"play/{start}-{number}" for number in range(6)
    ]
    assert run("rb", "--force", f"play/{start}-*").exit_code == 0
