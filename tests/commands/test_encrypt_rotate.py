"""``mcpy encrypt rotate`` on the embedded server: by a job where it does no harm, or by copies."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from mcpy.models import Alias, BucketEncryption, bare_key_id
from mcpy.sandbox.play import Sandbox
from mcpy.sandbox.s3.identities import Identities
from tests.mixture import Mixed, census, client, encryptions, fill, kms
from tests.running import Mcpy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mcpy.api.s3 import S3

pytestmark = pytest.mark.sandbox
OLD, NEW = "my-key", "new-key"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox(tmp_path_factory.mktemp("play"), tls=False, kms_key=OLD) as running:
        yield running


@pytest.fixture
def run(sandbox: Sandbox, tmp_path: Path) -> Mcpy:
    made = Mcpy.on(sandbox, tmp_path)
    for key in (NEW, "third-key"):
        assert made("admin", "kms", "key", "create", "play", key).exit_code in {0, 1}
    return made


@pytest.fixture
def s3(sandbox: Sandbox) -> Iterator[S3]:
    made = client(sandbox.alias())
    yield made
    made.http.close()


@pytest.fixture
def simple(s3: S3) -> str:
    """A bucket in which a job does no harm."""
    bucket = f"simple-{random.getrandbits(48):x}"
    s3.make_bucket(bucket)
    for number in range(3):
        headers = {**kms(OLD, n=str(number)), "x-amz-meta-a": "b"}
        s3.put_object(bucket, f"o{number}", b"content %d" % number, headers=headers)
    return bucket


def test_the_default_is_changed_and_objects_are_sealed_anew_by_a_job(
    run: Mcpy, s3: S3, simple: str
) -> None:
    assert run("encrypt", "set", "sse-kms", OLD, f"play/{simple}").exit_code == 0
    contents = {key: [one["digest"] for one in found] for key, found in census(s3, simple).items()}
    args = ("encrypt", "rotate", f"play/{simple}", "--to", NEW, "--from", OLD)
    planned = run(*args, "--dry-run")
    assert (planned.exit_code, planned.stderr) == (0, "")
    assert planned.stdout == (
        f"The default of `play/{simple}` would be `{NEW}`, not `{OLD}`.\n"
        f"3 versions would go from `{OLD}` to `{NEW}`,\n"
        "by a job of the server, which leaves the bytes and makes their modification times new.\n"
    )
    result = run(*args)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (
        f"The default of `play/{simple}` is `{NEW}`, not `{OLD}`.\n"
        f"A job sealed 3 objects of `play/{simple}` anew.\n"
        "Only the wrapping of their data keys changed: their bytes are as they were. "
        "Their modification times became those of the rotation.\n"
        f"Looked at again: 0 versions are under `{OLD}`.\n"
    )
    assert {found and found.key_id for found in encryptions(s3, simple).values()} == {
        f"arn:aws:kms:{NEW}"
    }
    now = {key: [one["digest"] for one in found] for key, found in census(s3, simple).items()}
    assert now == contents
    again = run(*args, "--json")
    (found,) = again.objects
    assert (found["engine"], found["proof"]["left"], found["status"]) == ("", 0, "success")


def test_a_job_that_goes_on_after_an_interruption_is_said_to(
    run: Mcpy, simple: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mcpy.fleet.rotate.batch import Batch

    rotate = Batch.rotate

    def interrupted(self: Batch, bucket: str, *args: Any, **more: Any) -> int:  # noqa: ANN401
        if bucket == simple:
            raise KeyboardInterrupt
        return rotate(self, bucket, *args, **more)

    monkeypatch.setattr(Batch, "rotate", interrupted)
    result = run("encrypt", "rotate", f"play/{simple}", "--to", NEW)
    assert (result.exit_code, result.stdout) == (130, "")
    assert result.stderr == (
        f"mcpy: error: interrupted: a job of the server goes on with `play/{simple}`\n"
        "mcpy: hint: mcpy batch list play\n"
    )


def test_an_interruption_after_the_default_was_changed_does_not_say_that_nothing_was(
    run: Mcpy, simple: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    assert run("encrypt", "set", "sse-kms", OLD, f"play/{simple}").exit_code == 0
    monkeypatch.setattr("mcpy.fleet.rotate.session.set_default", interrupted)
    args = ("encrypt", "rotate", f"play/{simple}", "--to", NEW, "--engine", "copy")
    result = run(*args)
    assert result.exit_code == 130
    assert "touched" not in result.stderr
    assert "0 rewritten of 0 that were looked at" in result.stderr
    monkeypatch.undo()
    assert run(*args).exit_code == 0
    assert f"`{NEW}`" in run("encrypt", "info", f"play/{simple}").stdout


def test_versions_are_copied_one_by_one_and_nothing_else_changes(run: Mcpy, s3: S3) -> None:
    bucket = f"mixed-{random.getrandbits(48):x}"
    fill(Mixed(s3, bucket, (OLD, "third-key")), "Enabled")
    before, old = census(s3, bucket), encryptions(s3, bucket)
    result = run(
        "encrypt", "rotate", f"play/{bucket}", "--to", NEW, "--from", "third-key", "--json"
    )
    (found,) = result.objects
    assert (result.exit_code, result.stderr) == (0, "")
    assert (found["engine"], found["onlyWrapping"]) == ("copy", False)
    assert found["classes"]["rewritten"] == 3
    assert found["proof"]["left"] == 0
    assert any("tags" in reason for reason in found["notByJob"])
    assert census(s3, bucket) == before
    for name, now in encryptions(s3, bucket).items():
        was = old[name]
        assert now
        assert was
        third = was.key_id.endswith("third-key")
        assert (now.key_id == f"arn:aws:kms:{NEW}") if third else (now == was)


def test_sse_s3_is_left_and_it_is_said_what_cannot_be_proven(run: Mcpy, s3: S3) -> None:
    bucket = f"s3-{random.getrandbits(48):x}"
    s3.make_bucket(bucket)
    s3.put_object(bucket, "o", b"x", headers={"x-amz-server-side-encryption": "AES256"})
    s3.put_object(bucket, "k", b"x", headers=kms(OLD))
    result = run("encrypt", "rotate", f"play/{bucket}", "--to", NEW, "--from", OLD)
    assert result.exit_code == 0
    assert "SSE-S3, whose key no server tells: 1; " in result.stdout
    assert f"`{OLD}` is the server's default: they are under it or an earlier" in result.stdout
    assert "Not by a job of the server: there are SSE-S3 objects" in result.stdout


def test_a_job_that_would_do_harm_is_refused_though_it_was_asked_for(run: Mcpy, s3: S3) -> None:
    bucket = f"tags-{random.getrandbits(48):x}"
    s3.make_bucket(bucket)
    s3.put_object(bucket, "k", b"x", headers={**kms(OLD), "x-amz-tagging": "a=b"})
    args = ("encrypt", "rotate", f"play/{bucket}", "--to", NEW)
    result = run(*args, "--engine", "batch")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "a job must not be used here: objects have tags, which a job drops" in result.stderr
    assert s3.head_object(bucket, "k").encryption.key_id.endswith(OLD)
    assert run(*args).exit_code == 0
    assert s3.object_tags(bucket, "k") == {"a": "b"}


def test_a_part_of_a_bucket_keeps_its_default_and_that_is_said(
    run: Mcpy, s3: S3, simple: str
) -> None:
    assert run("encrypt", "set", "sse-kms", OLD, f"play/{simple}").exit_code == 0
    result = run("encrypt", "rotate", f"play/{simple}/o1", "--to", NEW, "--engine", "copy")
    assert result.exit_code == 0
    assert f"new objects go on under the key `{OLD}`" in result.stderr
    keys = {key: found and found.key_id for (key, _), found in encryptions(s3, simple).items()}
    assert keys["o1"] == f"arn:aws:kms:{NEW}"
    assert keys["o2"] == f"arn:aws:kms:{OLD}"
    assert "`my-key`" in run("encrypt", "info", f"play/{simple}").stdout


def test_uploads_that_are_not_finished_are_counted(run: Mcpy, s3: S3, simple: str) -> None:
    from mcpy.api.multipart import MultipartUpload

    MultipartUpload.start(s3, simple, "later", headers=kms(OLD), customer={})
    result = run("encrypt", "rotate", f"play/{simple}", "--to", NEW, "--from", OLD)
    assert result.exit_code == 0
    assert "1 unfinished upload may end under the old key." in result.stdout


def test_what_stays_under_the_old_key_is_counted_and_the_exit_code_says_so(
    run: Mcpy, s3: S3
) -> None:
    bucket = f"held-{random.getrandbits(48):x}"
    s3.make_bucket(bucket, with_lock=True)
    s3.put_object(bucket, "k", b"x", headers={**kms(OLD), "x-amz-object-lock-legal-hold": "ON"})
    args = ("encrypt", "rotate", f"play/{bucket}", "--to", NEW)
    planned = run(*args, "--dry-run")
    assert planned.exit_code == 8
    assert "0 versions would go from other keys than `new-key` to `new-key`,\n" in planned.stdout
    assert "1 under retention or legal hold: not touched" in planned.stdout
    assert "mcpy: error: 1 would stay, or may be, under the old key\n" in planned.stderr
    result = run(*args)
    assert result.exit_code == 8
    assert "Looked at again: 1 version is under other keys than `new-key`." in result.stdout
    assert "1 is, or may be, under the old key" in result.stderr


@pytest.mark.parametrize(
    ("args", "code", "reason"),
    [
        (("--to", NEW, "--from", NEW), 2, "is both the old key and the new one"),
        (("--to", "a b"), 2, "is not a key name"),
        (("--to", "missing"), 5, "the KMS has no key `missing`"),
        (("--to", NEW, "--engine", "aws", "--from", OLD), 2, "is not AWS"),
    ],
)
def test_a_rotation_that_cannot_be_is_refused_before_anything_is_touched(
    run: Mcpy, simple: str, args: tuple[str, ...], code: int, reason: str
) -> None:
    result = run("encrypt", "rotate", f"play/{simple}", *args)
    assert (result.exit_code, result.stdout) == (code, "")
    assert reason in result.stderr


def _suspended(s3: S3) -> str:
    bucket = f"susp-{random.getrandbits(48):x}"
    s3.make_bucket(bucket)
    s3.put_bucket_encryption(bucket, BucketEncryption("aws:kms", OLD), current=None)
    s3.put_object(bucket, "a", b"x", headers=kms(OLD))
    s3.set_versioning(bucket, status="Suspended")
    return bucket


def test_a_refused_bucket_keeps_its_default_and_the_others_are_done(
    run: Mcpy, s3: S3, simple: str
) -> None:
    refused = _suspended(s3)
    both = (f"play/{refused}", f"play/{simple}")
    done = run("encrypt", "rotate", *both, "--from", OLD, "--to", NEW)
    assert done.exit_code == 8, done.stderr
    assert f"not done: `play/{refused}`" in done.stderr
    assert f"`play/{simple}`" in done.stdout
    kept = s3.get_bucket_encryption(refused)
    assert kept is not None
    assert bare_key_id(kept.key) == OLD


def test_a_dry_run_foresees_the_refusal(run: Mcpy, s3: S3) -> None:
    args = ("encrypt", "rotate", f"play/{_suspended(s3)}", "--to", NEW)
    planned, done = run(*args, "--dry-run"), run(*args)
    assert (planned.exit_code, done.exit_code) == (7, 7)
    assert "1 version would go from other keys" in planned.stdout
    assert "hint: --nobody-writes, when that is so" in planned.stderr
    assert planned.stderr == done.stderr
    free = run(*args, "--dry-run", "--nobody-writes", "--json")
    assert (free.exit_code, free.objects[-1]["wouldStay"]) == (0, 0)


def test_nothing_to_rewrite_is_not_refused(run: Mcpy, s3: S3) -> None:
    done = run("encrypt", "objects", f"play/{_suspended(s3)}", "--to", "sse-s3")
    assert (done.exit_code, done.stderr) == (0, "")
    assert "--include-kms" in done.stdout
    args = ("encrypt", "objects", f"play/{_suspended(s3)}", "--to", "sse-s3", "--dry-run")
    assert run(*args).exit_code == 0


@pytest.mark.parametrize("command", [("rotate", "--to", NEW), ("objects", "--to", "sse-s3")])
def test_a_prefix_with_nothing_below_is_not_found(
    run: Mcpy, simple: str, command: tuple[str, ...]
) -> None:
    done = run("encrypt", command[0], f"play/{simple}/nosuch/", *command[1:])
    assert done.exit_code == 5, done.stderr
    assert "there is nothing below" in done.stderr


def test_a_prefix_with_nothing_below_does_not_end_a_run_of_several(run: Mcpy, s3: S3) -> None:
    bucket = f"plain-{random.getrandbits(48):x}"
    s3.make_bucket(bucket)
    s3.put_object(bucket, "o", b"content")
    line = ("encrypt", "objects", f"play/{bucket}/none/", f"play/{bucket}", "--to", "sse-s3")
    done = run("--json", *line)
    assert done.exit_code == 8
    named = [one["error"]["message"] for one in done.objects if one["status"] == "error"]
    assert named[0].endswith(f"there is nothing below `play/{bucket}/none/`")
    assert named[-1] == f"not done: `play/{bucket}/none/`"
    assert s3.head_object(bucket, "o").encryption.scheme == "SSE-S3"


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_an_old_key_that_no_kms_has_and_nothing_names_is_not_found(
    run: Mcpy, simple: str, more: tuple[str, ...]
) -> None:
    args = ("encrypt", "rotate", f"play/{simple}", "--to", NEW)
    done = run(*args, "--from", "odl", *more)
    assert done.exit_code == 5
    assert done.stderr == (
        "mcpy: error: the KMS of `play` has no key `odl`, and nothing was under it\n"
        "mcpy: hint: mcpy admin kms key list play\n"
    )


def test_an_old_key_that_is_there_and_that_nothing_names_is_warned_of(
    run: Mcpy, simple: str
) -> None:
    done = run("encrypt", "rotate", f"play/{simple}", "--to", NEW, "--from", "third-key")
    assert done.exit_code == 0
    assert "nothing was under `third-key` before: make sure that it is called so" in done.stderr


def test_an_old_key_that_nobody_may_ask_for_is_warned_of_loudly(
    run: Mcpy, simple: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mcpy.api.madmin import MinioAdmin
    from mcpy.api.madmin_types import KeyStatus
    from mcpy.errors import S3Error

    def refused(_: MinioAdmin, key: str = "") -> KeyStatus:
        if key == "odl":
            raise S3Error(403, "AccessDenied", "no")
        return KeyStatus(key)

    monkeypatch.setattr(MinioAdmin, "key_status", refused)
    done = run("encrypt", "rotate", f"play/{simple}", "--to", NEW, "--from", "odl")
    assert done.exit_code == 0
    assert "nothing was under `odl` before, and `play` cannot be asked for the key (" in (
        done.stderr
    )


def test_the_journals_folder_is_looked_for_first(run: Mcpy, simple: str, tmp_path: Path) -> None:
    journal = str(tmp_path / "nope" / "j")
    done = run("encrypt", "rotate", f"play/{simple}", "--to", NEW, "--journal", journal)
    assert done.exit_code == 2, done.stderr
    assert "no folder for the journal" in done.stderr


def test_a_default_that_may_not_be_seen_leaves_the_proof_open(
    run: Mcpy, sandbox: Sandbox, simple: str
) -> None:
    everything = {"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::*"]}
    hidden = {**everything, "Effect": "Deny", "Action": ["s3:GetEncryptionConfiguration"]}
    people = Identities({}, sandbox.home.path / "iam.json")
    people.put_user("narrow", "throw-away-secret", enabled=True)
    people.put_policy("narrow", {"Version": "2012-10-17", "Statement": [everything, hidden]})
    people.change_user("narrow", policies=("narrow",))
    sandbox.restart_s3()
    run.store.put(Alias("narrow", sandbox.s3_url, "narrow", "throw-away-secret"))
    args = ("encrypt", "rotate", f"narrow/{simple}", "--to", NEW, "--from", OLD)
    result = run(*args, "--engine", "copy")
    assert result.exit_code == 8
    assert f"Looked at again: 0 versions are under `{OLD}`.\n" in result.stdout
    assert "go on under the old key: a default cannot be seen\n" in result.stderr
    again = run("--json", *args, "--engine", "copy").objects[0]
    assert (again["status"], again["defaultUnseen"]) == ("partial", True)


def test_what_nobody_can_read_is_not_called_encrypted_anew(
    run: Mcpy, sandbox: Sandbox, s3: S3
) -> None:
    bucket = f"gone-{random.getrandbits(48):x}"
    assert run("admin", "kms", "key", "create", "play", bucket).exit_code == 0
    s3.make_bucket(bucket)
    s3.put_object(bucket, "o", b"content", headers=kms(bucket))
    (sandbox.home.keys / bucket).unlink()
    result = run("encrypt", "rotate", f"play/{bucket}", "--to", NEW, "--from", bucket)
    assert result.exit_code == 8
    assert "anew" not in result.stdout
