"""``mcpy encrypt objects`` on the embedded server: what it says, and with which exit code."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from mcpy.cli.rewritten import Line
from mcpy.errors import Terminated
from mcpy.fleet.rewrite.goal import Class, Goal, Outcome, meaning
from mcpy.models import Alias, ObjectEncryption, Target
from mcpy.sandbox.play import Sandbox
from tests.mixture import census, client, locked
from tests.running import Mcpy, Terminal
from tests.stub import Reply, Server, ok, s3_error, xml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mcpy.api.s3 import S3

ON_SANDBOX = pytest.mark.sandbox


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox(tmp_path_factory.mktemp("play"), tls=False, kms_key="my-key") as running:
        yield running


@pytest.fixture
def run(sandbox: Sandbox, tmp_path: Path) -> Mcpy:
    return Mcpy.on(sandbox, tmp_path)


@pytest.fixture
def s3(sandbox: Sandbox) -> Iterator[S3]:
    made = client(sandbox.alias())
    yield made
    made.http.close()


@pytest.fixture
def bucket(s3: S3) -> str:
    name = f"objects-{random.getrandbits(48):x}"
    s3.make_bucket(name)
    s3.put_object(name, "logs/a", b"four")
    s3.put_object(name, "logs-of-others", b"5 of it")
    s3.put_object(name, "e", b"", headers={"x-amz-server-side-encryption": "AES256"})
    return name


def stays_plain(bucket: str, scheme: str) -> str:
    """What is said of a bucket that encrypts nothing by itself."""
    return (
        f"mcpy: warning: `play/{bucket}` has no default encryption, so that new uploads may stay "
        f"plain: mcpy encrypt set {scheme} play/{bucket}\n"
    )


@ON_SANDBOX
def test_what_is_there_is_encrypted_and_every_version_is_accounted_for(
    run: Mcpy, bucket: str
) -> None:
    result = run("encrypt", "objects", f"play/{bucket}", "--to", "sse-s3")
    assert (result.exit_code, result.stderr) == (0, stays_plain(bucket, "sse-s3"))
    assert result.stdout == (
        f"`play/{bucket}`: 3 versions and delete markers were looked at.\n"
        "         2 rewritten and verified, 11 B\n"
        "           2 from plaintext\n"
        "         1 as wanted already\n"
        "The bytes of before may stay on the server's disks until it clears them.\n"
    )
    assert "Encryption : SSE-S3" in run("stat", f"play/{bucket}/logs/a").stdout


@ON_SANDBOX
def test_json_has_every_class_and_the_journal(run: Mcpy, bucket: str, tmp_path: Path) -> None:
    journal = tmp_path / "here.jsonl"
    args = ("--to", "sse-kms:my-key", "--journal", str(journal), "--verify", "full")
    result = run("encrypt", "objects", f"play/{bucket}", *args, "--json")
    assert (result.exit_code, result.stderr) == (0, stays_plain(bucket, "sse-kms my-key"))
    (found,) = result.objects
    assert found["classes"].pop("rewritten") == 3
    assert not any(found["classes"].values())
    assert found["bytes"]["rewritten"] == 11
    assert (found["scanned"], found["etagsChanged"], found["newVersions"]) == (3, 3, 0)
    assert found["rewrittenFrom"] == {"plaintext": 2, "SSE-S3": 1}
    assert found["encryption"] == {"algorithm": "aws:kms", "keyId": "my-key"}
    assert (found["status"], found["journal"]) == ("success", str(journal))
    assert journal.read_text().splitlines()[-1].startswith('{"t":"end"')


@ON_SANDBOX
def test_a_dry_run_tells_of_the_etag_that_an_empty_folder_gets(
    run: Mcpy, s3: S3, bucket: str
) -> None:
    s3.put_object(bucket, "dir/", b"")
    args = ("encrypt", "objects", f"play/{bucket}/dir/", "--to", "sse-s3", "--json")
    (planned,) = run(*args, "--dry-run").objects[-1:]
    (done,) = run(*args).objects[-1:]
    assert (planned["etagsChanged"], done["etagsChanged"]) == (1, 1)


def test_one_delete_marker_and_an_owners_key_are_told_in_words() -> None:
    goal = Goal(ObjectEncryption("AES256"))
    assert meaning(Class.MARKER, goal, 1) == "delete marker: nothing to encrypt"
    assert meaning(Class.MARKER, goal, 2) == "delete markers: nothing to encrypt"
    outcome = Outcome("k", "", Class.CUSTOMER)
    assert Line(Target("play", "box"), outcome, dry_run=False).text() == (
        "`play/box/k` is SSE-C: only who has its owner's key can change it"
    )


@ON_SANDBOX
def test_a_prefix_is_a_folder_and_not_its_namesakes(run: Mcpy, bucket: str) -> None:
    result = run("encrypt", "objects", f"play/{bucket}/logs", "--to", "sse-s3", "--list", "--json")
    line, found = result.objects
    assert (line["url"], line["class"]) == (f"play/{bucket}/logs/a", "rewritten")
    assert found["scanned"] == 1
    assert "Encryption : none" in run("stat", f"play/{bucket}/logs-of-others").stdout


@ON_SANDBOX
def test_a_dry_run_says_what_would_be_and_changes_nothing(
    run: Mcpy, bucket: str, tmp_path: Path
) -> None:
    result = run("encrypt", "objects", f"play/{bucket}", "--to", "sse-s3", "--dry-run")
    assert (result.exit_code, result.stderr) == (0, stays_plain(bucket, "sse-s3"))
    assert result.stdout == (
        f"`play/{bucket}/logs-of-others` would be rewritten\n"
        f"`play/{bucket}/logs/a` would be rewritten\n"
        f"`play/{bucket}`: 3 versions and delete markers were looked at.\n"
        "         2 would be rewritten, 11 B\n"
        "           2 from plaintext\n"
        "         1 as wanted already\n"
    )
    assert "Encryption : none" in run("stat", f"play/{bucket}/logs/a").stdout
    assert not (tmp_path / "config" / "journals").exists()


@ON_SANDBOX
def test_what_cannot_be_is_named_and_the_exit_code_says_partly(run: Mcpy, s3: S3) -> None:
    bucket = f"locked-{random.getrandbits(48):x}"
    locked(s3, bucket)
    before = census(s3, bucket)
    result = run("encrypt", "objects", f"play/{bucket}", "--to", "sse-s3")
    assert result.exit_code == 8
    assert f"mcpy: warning: `play/{bucket}/held`" in result.stderr
    assert "locked: it is under legal hold" in result.stderr
    assert result.stderr.endswith("mcpy: error: 3 of 5 are not as wanted\n")
    assert "3 under retention or legal hold: not touched" in result.stdout
    assert census(s3, bucket) == before
    again = run("encrypt", "objects", f"play/{bucket}", "--to", "sse-s3", "--json")
    assert [one.get("class") for one in again.objects] == ["locked"] * 3 + [None, None]
    alone = run("encrypt", "objects", f"play/{bucket}/held", "--to", "sse-s3")
    assert alone.stderr.endswith("mcpy: error: 1 of 1 is not as wanted\n")
    assert again.objects[-2]["status"] == "partial"


@ON_SANDBOX
def test_a_dry_run_foresees_what_is_held_and_ends_as_the_run_would(run: Mcpy, s3: S3) -> None:
    bucket = f"held-{random.getrandbits(48):x}"
    locked(s3, bucket)
    args = ("encrypt", "objects", f"play/{bucket}", "--to", "sse-s3")
    planned, done = run(*args, "--dry-run"), run(*args)
    assert (planned.exit_code, done.exit_code) == (8, 8)
    assert "3 under retention or legal hold: not touched" in planned.stdout
    assert planned.stderr.endswith("mcpy: error: 3 of 5 would not be as wanted\n")


@ON_SANDBOX
def test_a_dry_run_foresees_a_refusal_and_ends_as_the_run_would(
    run: Mcpy, s3: S3, bucket: str
) -> None:
    s3.set_versioning(bucket, status="Suspended")
    args = ("encrypt", "objects", f"play/{bucket}", "--to", "sse-s3")
    planned, done = run(*args, "--dry-run"), run(*args)
    assert (planned.exit_code, done.exit_code) == (7, 7)
    assert "2 would be rewritten" in planned.stdout
    refusal = done.stderr.splitlines()[-2:]
    assert "could be lost" in refusal[0]
    assert planned.stderr.splitlines()[-2:] == refusal
    assert run(*args, "--nobody-writes", "--dry-run").exit_code == 0


@ON_SANDBOX
def test_a_dry_run_foresees_that_a_canary_could_not_be_cleaned_up(run: Mcpy, s3: S3) -> None:
    bucket = f"locks-{random.getrandbits(48):x}"
    s3.make_bucket(bucket, with_lock=True)
    rule = (
        "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule>"
        "<DefaultRetention><Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule>"
        "</ObjectLockConfiguration>"
    )
    s3.call("PUT", f"/{bucket}", query=[("object-lock", "")], content=rule.encode())
    args = ("encrypt", "objects", f"play/{bucket}", "--to", "sse-s3", "--canary-inside")
    planned, done = run(*args, "--dry-run"), run(*args)
    assert (planned.exit_code, done.exit_code) == (2, 2)
    assert planned.stderr == done.stderr
    assert "a canary could not be cleaned up" in done.stderr


@ON_SANDBOX
def test_a_missing_target_does_not_end_the_run_and_has_an_object_of_its_own(
    run: Mcpy, bucket: str
) -> None:
    targets = ("play/nowhere-to-be", f"play/{bucket}")
    args = ("encrypt", "objects", *targets, "--to", "sse-s3")
    result = run(*args, "--json")
    assert result.exit_code == 8
    missing, done, last = result.objects
    assert (missing["status"], missing["error"]["type"]) == ("error", "error")
    assert missing["error"]["message"].startswith("`play/nowhere-to-be` is not done: there is no")
    assert (done["url"], done["classes"]["rewritten"]) == (f"play/{bucket}", 2)
    assert last["error"]["message"] == "not done: `play/nowhere-to-be`"
    both = run("encrypt", "objects", "play/not-a", "play/not-b", "--to", "sse-s3")
    assert (both.exit_code, both.stdout) == (5, "")
    assert both.stderr.endswith("mcpy: error: not done: `play/not-a`, `play/not-b`\n")


@ON_SANDBOX
def test_a_bucket_that_encrypts_by_default_needs_no_word(run: Mcpy, bucket: str) -> None:
    assert run("encrypt", "set", "sse-s3", f"play/{bucket}").exit_code == 0
    result = run("encrypt", "objects", f"play/{bucket}", "--to", "sse-s3")
    assert (result.exit_code, result.stderr) == (0, "")


@ON_SANDBOX
def test_wrong_keys_are_said_to_be_wrong_and_nothing_is_tried(
    run: Mcpy, sandbox: Sandbox, bucket: str
) -> None:
    run.store.put(Alias("bad", sandbox.s3_url, sandbox.access_key, "not-the-secret"))
    result = run("encrypt", "objects", f"bad/{bucket}", "--to", "sse-s3")
    assert (result.exit_code, result.stdout) == (4, "")
    assert result.stderr == (
        "mcpy: error: SignatureDoesNotMatch: the secret key of alias `bad` is wrong\n"
        f"mcpy: hint: mcpy alias set bad {sandbox.s3_url} {sandbox.access_key}\n"
    )


@ON_SANDBOX
@pytest.mark.parametrize(
    ("signal", "code"), [(KeyboardInterrupt, 130), (Terminated("terminated"), 143)]
)
def test_an_interruption_says_how_far_it_was_and_how_to_go_on(
    run: Mcpy, bucket: str, monkeypatch: pytest.MonkeyPatch, signal: BaseException, code: int
) -> None:
    from mcpy.fleet.rewrite.run import Run

    settled = Run._settled

    def interrupted(self: Run, items: Any, outcome: Any) -> None:  # noqa: ANN401
        settled(self, items, outcome)
        if self.tally.count["rewritten"]:
            raise signal

    args = ("encrypt", "objects", f"play/{bucket}", "--to", "sse-s3")
    monkeypatch.setattr(Run, "_settled", interrupted)
    result = run(*args)
    assert (result.exit_code, result.stdout) == (code, "")
    assert f": 1 rewritten of 2 that were looked at in `play/{bucket}`\n" in result.stderr
    assert "hint: the same command goes on where it was; the journal is /" in result.stderr
    monkeypatch.setattr(Run, "_settled", settled)
    again = run(*args)
    assert again.exit_code == 0
    assert "2 rewritten and verified" in again.stdout


@ON_SANDBOX
def test_an_interruption_before_the_first_object_says_that_nothing_was_touched(
    run: Mcpy, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mcpy.fleet.rewrite.canary.probes.direct", interrupted)
    result = run("encrypt", "objects", f"play/{bucket}", "--to", "sse-s3", "--json")
    assert result.exit_code == 130
    assert result.objects[-1]["error"]["message"] == (
        f"interrupted: nothing of `play/{bucket}` was touched"
    )


@ON_SANDBOX
def test_sse_kms_objects_stay_so_unless_they_are_included(run: Mcpy, s3: S3, bucket: str) -> None:
    s3.put_object(bucket, "kms", b"x", headers={"x-amz-server-side-encryption": "aws:kms"})
    args = ("encrypt", "objects", f"play/{bucket}", "--to", "sse-s3")
    left = "1 SSE-KMS, not asked for (--include-kms): left as they are, 1 B\n"
    assert left in run(*args).stdout
    assert s3.head_object(bucket, "kms").encryption.algorithm == "aws:kms"
    assert "1 from SSE-KMS" in run(*args, "--include-kms").stdout
    assert s3.head_object(bucket, "kms").encryption.algorithm == "AES256"


@ON_SANDBOX
def test_several_buckets_are_named_by_a_pattern(run: Mcpy, s3: S3) -> None:
    start = f"p{random.getrandbits(48):x}"
    for name in ("a", "b"):
        s3.make_bucket(f"{start}-{name}")
        s3.put_object(f"{start}-{name}", "o", b"x")
    result = run("encrypt", "objects", f"play/{start}-*", "--to", "sse-s3", "--json")
    assert [one["url"] for one in result.objects] == [f"play/{start}-a", f"play/{start}-b"]


@ON_SANDBOX
def test_on_a_terminal_it_says_how_far_it_is(run: Mcpy, bucket: str) -> None:
    terminal = Terminal()
    result = run("encrypt", "objects", f"play/{bucket}", "--to", "sse-s3", stderr=terminal)
    assert result.exit_code == 0
    assert "trying out what the server does" in terminal.getvalue()


@ON_SANDBOX
def test_a_key_that_does_not_exist_is_found_before_anything_is_touched(
    run: Mcpy, bucket: str
) -> None:
    result = run("encrypt", "objects", f"play/{bucket}", "--to", "sse-kms:nope")
    assert (result.exit_code, result.stdout) == (5, "")
    assert "the KMS has no key `nope`" in result.stderr


@ON_SANDBOX
def test_a_bucket_that_is_not_there_is_said_to_be_so(run: Mcpy) -> None:
    result = run("encrypt", "objects", "play/not-there", "--to", "sse-s3")
    assert (result.exit_code, result.stdout) == (5, "")
    assert "there is no bucket `play/not-there`" in result.stderr


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ("aes", "`aes` is not sse-s3 or sse-kms:KEY"),
        ("sse-kms", "`sse-kms` is not sse-s3 or sse-kms:KEY"),
        ("sse-s3:key", "`sse-s3:key` is not sse-s3 or sse-kms:KEY"),
        ("sse-kms:a b", "`a b` is not a key name"),
    ],
)
def test_a_wish_of_another_form_is_refused(mcpy: Mcpy, wanted: str, reason: str) -> None:
    result = mcpy("encrypt", "objects", "play/box", "--to", wanted)
    assert (result.exit_code, result.stdout) == (2, "")
    assert reason in result.stderr


def test_a_rate_of_another_form_is_refused(mcpy: Mcpy) -> None:
    result = mcpy("encrypt", "objects", "play/box", "--to", "sse-s3", "--max-rate", "fast")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "`fast` is not a rate such as 50/s objects, or 20MiB/s" in result.stderr


KEY_WORKS = httpx.Response(200, json={"key-id": "my-key"})
NO_SETTING = s3_error(404, "ObjectLockConfigurationNotFoundError")
UNVERSIONED = "<VersioningConfiguration/>"


def looked_at() -> list[Reply]:
    """The answers to what is asked before the canary goes."""
    return [KEY_WORKS, httpx.Response(200), xml(200, UNVERSIONED), NO_SETTING]


def test_credentials_that_may_make_no_bucket_are_told_what_to_do(
    mcpy: Mcpy, server: Server
) -> None:
    server.replies = [*looked_at(), s3_error(403, "AccessDenied", "Access Denied.")]
    result = mcpy("encrypt", "objects", "play/box", "--to", "sse-s3")
    assert (result.exit_code, result.stdout) == (4, "")
    assert "no bucket can be made to try out what the server does" in result.stderr
    assert "--canary-inside, to use play/box/.mcpy-canary/ for it" in result.stderr
    assert server.calls[-1].startswith("PUT /mcpy-canary-")


def test_a_server_that_stores_plaintext_is_refused_and_nothing_is_touched(
    mcpy: Mcpy, server: Server
) -> None:
    listing = "<ListVersionsResult><Version><Key>direct</Key></Version></ListVersionsResult>"
    server.replies = [
        *looked_at(),
        httpx.Response(200),  # a bucket of its own
        ok(),  # takes the object
        httpx.Response(200, headers={"content-length": "3000", "etag": '"x"'}),  # no encryption
        xml(200, listing),
        xml(200, "<DeleteResult><Deleted><Key>direct</Key></Deleted></DeleteResult>"),
        httpx.Response(204),
    ]
    result = mcpy("encrypt", "objects", "play/box", "--to", "sse-s3")
    assert (result.exit_code, result.stdout) == (7, "")
    assert (
        "objects cannot be rewritten safely on `play`: it takes an object to be so encrypted, and "
        "stores it unencrypted; nothing of `play/box` was touched" in result.stderr
    )
    written = [
        call for call in server.calls if call.startswith(("PUT /box", "DELETE /box", "POST /box"))
    ]
    assert written == []
    assert server.calls[-1].startswith("DELETE /mcpy-canary-")


def test_what_the_canary_could_not_remove_is_told(mcpy: Mcpy, server: Server) -> None:
    server.replies = [
        *looked_at(),
        httpx.Response(200),
        s3_error(501, "NotImplemented", "no encryption here"),
        xml(200, "<ListVersionsResult/>"),
        s3_error(403, "AccessDenied", "no"),
    ]
    result = mcpy("encrypt", "objects", "play/box", "--to", "sse-s3")
    assert (result.exit_code, result.stdout) == (7, "")
    assert "mcpy: warning: what was tried out could not be removed: play/mcpy-canary-" in (
        result.stderr
    )
    assert "it refuses to store an object so encrypted: NotImplemented" in result.stderr


@pytest.mark.parametrize("command", ["objects", "rotate"])
def test_an_alias_alone_is_told_what_all_of_its_buckets_are(
    mcpy: Mcpy, server: Server, command: str
) -> None:
    result = mcpy("encrypt", command, "play", "--to", "sse-kms:k" if command == "objects" else "k")
    assert (result.exit_code, result.stdout, server.calls) == (2, "", [])
    assert result.stderr == (
        f"mcpy: error: `play` names no bucket\nmcpy: hint: mcpy encrypt {command} 'play/*'\n"
    )


def test_a_journal_that_cannot_be_written_is_found_before_anybody_is_asked(
    mcpy: Mcpy, server: Server
) -> None:
    args = ("--to", "sse-s3", "--journal", "/proc/no-journal")
    result = mcpy("encrypt", "objects", "play/box", *args)
    assert (result.exit_code, result.stdout, server.calls) == (1, "", [])
    assert "cannot use the journal /proc/no-journal" in result.stderr


def test_one_journal_is_of_one_target(mcpy: Mcpy, server: Server, tmp_path: Path) -> None:
    journal = tmp_path / "j"
    server.replies = [KEY_WORKS]
    args = ("--to", "sse-s3", "--journal", str(journal))
    result = mcpy("encrypt", "objects", "play/box-a", "play/box-b", *args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--journal is of one target, and there are several" in result.stderr
    assert not journal.exists()


def test_a_default_that_may_not_be_seen_is_said_to_be_unknown(mcpy: Mcpy, server: Server) -> None:
    server.replies = [
        *looked_at(),
        httpx.Response(200),  # MinIO
        xml(200, "<ListBucketResult/>"),
        s3_error(403, "AccessDenied", "no"),
    ]
    result = mcpy("encrypt", "objects", "play/box", "--to", "sse-s3", "--dry-run")
    assert result.exit_code == 0
    assert (
        "whether `play/box` encrypts new uploads is not known: AccessDenied: no (s3:GetEncryp"
        in (result.stderr)
    )


def test_a_journal_of_another_target_is_refused(
    mcpy: Mcpy, server: Server, tmp_path: Path
) -> None:
    journal = tmp_path / "j"
    journal.write_text(json.dumps({"t": "header", "format": 1, "bucket": "other"}) + "\n")
    server.replies = looked_at()
    result = mcpy("encrypt", "objects", "play/box", "--to", "sse-s3", "--journal", str(journal))
    assert (result.exit_code, result.stdout) == (2, "")
    assert "is of another run" in result.stderr
