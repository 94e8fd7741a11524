"""The SSE-S3 page by the command line, on a sandbox over real sockets."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from mcpy.models import Alias
from mcpy.sandbox.play import Sandbox
from tests.running import Mcpy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.sandbox

KEY = "my-minio-sse-s3-key"
NUMBERS = itertools.count()
TEXT = b"the eagle lands at midnight\n" * 64


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as started:
        yield started


@pytest.fixture(scope="module")
def mcpy(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Mcpy:
    """The command line after steps 1 to 3 of the page: a key, the settings, a restart."""
    folder = tmp_path_factory.mktemp("config")
    made = Mcpy(folder, None, env={"HOME": str(folder), **sandbox.env()})
    made.secrets = {sandbox.secret_key, sandbox.api_key}
    made.store.put(Alias("play", sandbox.s3_url, sandbox.access_key, sandbox.secret_key))
    written = ("--key", KEY, "--write", str(sandbox.home.env_file))
    for step in (
        ("kes", "key", "create", KEY),
        ("admin", "kms", "env", "play", *written),
        ("admin", "service", "restart", "play"),
    ):
        result = made(*step)
        assert result.exit_code == 0, result
    return made


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "secret.txt"
    made.write_bytes(TEXT)
    return made


@pytest.fixture
def bucket(mcpy: Mcpy) -> str:
    """A bucket of the test's own, encrypted by default."""
    name = f"play/bucket-{next(NUMBERS)}"
    assert mcpy("mb", name).exit_code == 0
    assert mcpy("encrypt", "set", "sse-s3", name).exit_code == 0
    return name


def test_the_restarted_server_uses_the_key(mcpy: Mcpy) -> None:
    result = mcpy("--json", "admin", "kms", "key", "status", "play")
    assert result.objects == [{"keyId": KEY, "status": "success"}]


def test_restart_and_info_follow_each_other_in_a_script(mcpy: Mcpy) -> None:
    """With the real mc the second command fails."""
    restarted = mcpy("--json", "admin", "service", "restart", "play")
    assert (restarted.exit_code, restarted.stderr) == (0, "")
    assert len(restarted.objects[0]["nodes"]) == 1
    assert mcpy("admin", "info", "play").exit_code == 0


def test_an_upload_is_encrypted_by_default(mcpy: Mcpy, bucket: str, file: Path) -> None:
    copied = mcpy("--json", "cp", str(file), f"{bucket}/o")
    assert copied.objects[0]["encryption"] == "SSE-S3"
    (stat,) = mcpy("--json", "stat", f"{bucket}/o").objects
    assert stat["metadata"]["X-Amz-Server-Side-Encryption"] == "AES256"
    assert stat["size"] == len(TEXT)


def test_what_was_uploaded_is_read_again(mcpy: Mcpy, bucket: str, file: Path) -> None:
    assert mcpy("cp", str(file), f"{bucket}/o").exit_code == 0
    assert mcpy("cat", f"{bucket}/o") == (0, TEXT.decode(), "")


def test_a_download_is_the_same_file(mcpy: Mcpy, bucket: str, file: Path, tmp_path: Path) -> None:
    target = tmp_path / "again.txt"
    assert mcpy("cp", str(file), f"{bucket}/o").exit_code == 0
    assert mcpy("cp", f"{bucket}/o", str(target)).exit_code == 0
    assert target.read_bytes() == TEXT
    assert {path.name for path in tmp_path.iterdir()} == {"secret.txt", "again.txt"}


def test_the_client_may_ask_for_encryption(mcpy: Mcpy, file: Path) -> None:
    assert mcpy("mb", "play/client-driven").exit_code == 0
    plain = mcpy("--json", "cp", str(file), "play/client-driven/plain")
    asked = mcpy(
        "--json", "cp", "--enc-s3", "play/client-driven", str(file), "play/client-driven/s3"
    )
    assert plain.objects[0]["encryption"] == ""
    assert asked.objects[0]["encryption"] == "SSE-S3"


def test_the_client_may_name_a_key(mcpy: Mcpy, file: Path) -> None:
    assert mcpy("kes", "key", "create", "--if-missing", "tenant-a").exit_code == 0
    assert mcpy("mb", "play/tenant").exit_code == 0
    args = ("cp", "--enc-kms", "play/tenant=tenant-a", str(file), "play/tenant/o")
    assert mcpy("--json", *args).objects[0]["encryption"] == "SSE-KMS"
    assert "SSE-KMS (arn:aws:kms:tenant-a)" in mcpy("stat", "play/tenant/o").stdout


def test_a_copy_on_the_server_stays_encrypted(mcpy: Mcpy, bucket: str, file: Path) -> None:
    """The real mc stores it in the clear."""
    assert mcpy("encrypt", "clear", bucket).exit_code == 0
    assert mcpy("cp", "--enc-s3", bucket, str(file), f"{bucket}/a").exit_code == 0
    copied = mcpy("--json", "cp", f"{bucket}/a", f"{bucket}/b")
    assert copied.objects[0]["encryption"] == "SSE-S3"


def test_objects_that_were_there_are_counted_and_stay(mcpy: Mcpy, file: Path) -> None:
    assert mcpy("mb", "play/before").exit_code == 0
    assert mcpy("cp", str(file), "play/before/o").exit_code == 0
    result = mcpy("encrypt", "set", "sse-s3", "play/before")
    assert result.stdout.endswith("1 object that was there stays as it is.\n")
    assert "Encryption : none\n" in mcpy("stat", "play/before/o").stdout


def test_set_info_and_clear_agree(mcpy: Mcpy, bucket: str) -> None:
    assert mcpy("encrypt", "info", bucket).exit_code == 0
    assert "already" in mcpy("encrypt", "set", "sse-s3", bucket).stdout
    assert mcpy("encrypt", "clear", bucket).exit_code == 0
    assert mcpy("encrypt", "info", bucket).exit_code == 5
    assert "nothing changed" in mcpy("encrypt", "clear", bucket).stdout


def test_no_plaintext_lies_on_the_disk(
    mcpy: Mcpy, sandbox: Sandbox, bucket: str, tmp_path: Path
) -> None:
    needle = b"a needle that is in no other file of the sandbox"
    file = tmp_path / "needle"
    file.write_bytes(needle)
    assert mcpy("mb", "play/in-the-clear").exit_code == 0

    def lies_there() -> bool:
        files = (path for path in sandbox.home.path.rglob("*") if path.is_file())
        return any(needle in path.read_bytes() for path in files)

    assert mcpy("cp", str(file), f"{bucket}/needle").exit_code == 0
    assert not lies_there()
    assert mcpy("cp", str(file), "play/in-the-clear/needle").exit_code == 0
    assert lies_there()


def test_without_its_key_an_object_is_unreadable(mcpy: Mcpy, file: Path) -> None:
    assert mcpy("kes", "key", "create", "doomed").exit_code == 0
    assert mcpy("mb", "play/doomed").exit_code == 0
    args = ("cp", "--enc-kms", "play/doomed=doomed", str(file), "play/doomed/o")
    assert mcpy(*args).exit_code == 0
    assert mcpy("cat", "play/doomed/o").exit_code == 0
    assert mcpy("kes", "key", "rm", "--yes", "--without-impact", "doomed").exit_code == 0
    gone = mcpy("cat", "play/doomed/o")
    assert (gone.exit_code, gone.stdout) == (5, "")
    assert "kms:KeyNotFound" in gone.stderr
    refused = mcpy("encrypt", "set", "sse-kms", "doomed", "play/doomed")
    assert refused.exit_code == 5
    assert "mcpy: hint: mcpy kes key import doomed @BACKUP" in refused.stderr


def test_an_object_and_its_bucket_are_removed(mcpy: Mcpy, bucket: str, file: Path) -> None:
    assert mcpy("cp", str(file), f"{bucket}/o").exit_code == 0
    assert mcpy("rb", bucket).exit_code == 1
    assert mcpy("rm", f"{bucket}/o").exit_code == 0
    assert mcpy("ls", bucket) == (0, "", "")
    assert mcpy("rb", bucket).exit_code == 0
    assert mcpy("ls", bucket).exit_code == 5


def test_odd_names_come_back_as_they_were(mcpy: Mcpy, bucket: str, file: Path) -> None:
    for name in ("a b", "ü/é+%20", "a&<b>'\"", "*?[1]"):
        assert mcpy("cp", str(file), f"{bucket}/{name}").exit_code == 0
        assert mcpy("cat", f"{bucket}/{name}").exit_code == 0
    listed = mcpy("--json", "ls", "-r", bucket).objects
    assert {line["key"] for line in listed} == {
        "a b",
        "ü/é+%20",
        "a&<b>'\"",
        "*?[1]",
    }


def test_kes_shows_its_state_and_its_keys(mcpy: Mcpy) -> None:
    assert mcpy("kes", "status").stdout.startswith("● 127.0.0.1:")
    assert KEY in mcpy("kes", "key", "ls").stdout.splitlines()
    (info,) = mcpy("--json", "kes", "key", "info", KEY).objects
    assert info["name"] == KEY
    assert KEY in mcpy("admin", "kms", "key", "list", "play").stdout.splitlines()


def test_an_api_key_is_as_good_as_the_certificate(mcpy: Mcpy, sandbox: Sandbox) -> None:
    env = {"KES_CLIENT_KEY": "", "KES_CLIENT_CERT": "", "KES_API_KEY": sandbox.api_key}
    assert mcpy("kes", "key", "info", KEY, env=env).exit_code == 0


def test_a_stranger_is_denied(mcpy: Mcpy) -> None:
    stranger = "kes:v1:AAiWzyrY+aRsxij4o1EmePKLRcy+m/DRADtgd12kn1XU"
    env = {"KES_CLIENT_KEY": "", "KES_CLIENT_CERT": "", "KES_API_KEY": stranger}
    result = mcpy("kes", "key", "info", KEY, env=env)
    assert (result.exit_code, result.stdout) == (4, "")
    assert "not authorized: insufficient permissions" in result.stderr


def test_a_kes_that_is_not_trusted_is_told_nothing(mcpy: Mcpy) -> None:
    result = mcpy("kes", "key", "ls", env={"MCPY_KES_CA": ""})
    assert (result.exit_code, result.stdout) == (6, "")
    assert "is not trusted" in result.stderr


def test_wrong_credentials_are_not_stored(mcpy: Mcpy, sandbox: Sandbox) -> None:
    result = mcpy("alias", "set", "wrong", sandbox.s3_url, sandbox.access_key, "wrong-secret")
    assert (result.exit_code, result.stdout) == (4, "")
    assert "SignatureDoesNotMatch" in result.stderr
    assert "wrong" not in [alias.name for alias in mcpy.store.all()]


def test_freezing_silences_s3_until_it_is_undone(mcpy: Mcpy) -> None:
    assert mcpy("admin", "service", "freeze", "play").exit_code == 0
    assert mcpy("ls", "play", "--timeout", "1s").exit_code == 6
    assert mcpy("admin", "service", "unfreeze", "play").exit_code == 0
    assert mcpy("ls", "play").exit_code == 0
