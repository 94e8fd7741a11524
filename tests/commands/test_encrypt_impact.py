"""``encrypt impact``: what needs a key, how sure that is, and what it takes to delete the key."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

from mcpy.fleet.impact.report import stamp
from mcpy.models import Alias, BucketEncryption, KesProfile
from tests.in_process import ACCESS, SECRET, Server
from tests.running import KES_API_KEY, Mcpy, Terminal
from tests.s3_calls import S3 as SSE_S3
from tests.s3_calls import kms_with
from tests.stub import s3_error

if TYPE_CHECKING:
    from pathlib import Path

    from mcpy.api.s3 import S3

KES = "https://kes.test:7373"


@pytest.fixture(autouse=True)
def _bucket(s3: S3) -> None:
    s3.make_bucket("b-1")


def put(s3: S3, key: str, headers: dict[str, str]) -> None:
    s3.put_object("b-1", key, b"content", headers=headers)


def test_a_key_that_nothing_needs_is_exit_0(run: Mcpy, s3: S3) -> None:
    put(s3, "plain", {})
    put(s3, "other", kms_with("tenant-b"))
    assert run("encrypt", "impact", "tenant-a", "play", "--never-default") == (
        0,
        "`tenant-a` on play (https://s3.test)\n"
        "  Server default   no, that is `my-key`\n"
        "  Bucket defaults  0 of 1\n"
        "  SSE-KMS          none\n"
        "  SSE-S3           none\n"
        "  Never listed     objects below the name of another (`a/b` beside `a`) on MinIO\n"
        "Nothing that the servers list depends on `tenant-a`, and all of it was looked at.\n",
        "",
    )


def test_versions_under_a_key_are_counted_and_named(run: Mcpy, s3: S3) -> None:
    s3.set_versioning("b-1", status="Enabled")
    put(s3, "a", kms_with("tenant-a"))
    put(s3, "a", kms_with("tenant-a"))
    put(s3, "b", kms_with("tenant-b"))
    result = run("--json", "encrypt", "impact", "tenant-a", "play")
    assert (result.exit_code, result.stderr) == (3, "")
    report, error = result.objects
    (server,) = report["servers"]
    assert (report["verdict"], report["certain"], report["possible"]) == ("some", 2, 0)
    assert (server["certain"], server["objects"]) == ({"number": 2, "size": 14}, 1)
    assert [name.partition(" ")[0] for name in server["samples"]] == ["play/b-1/a"] * 2
    assert error["error"]["message"] == "`tenant-a` is needed: 2+ versions depend on it"


def test_a_bucket_that_defaults_to_a_key_needs_it(run: Mcpy, s3: S3) -> None:
    s3.put_bucket_encryption("b-1", BucketEncryption("aws:kms", "tenant-a"), current=None)
    result = run("encrypt", "impact", "tenant-a", "play")
    assert result.exit_code == 3
    assert "Bucket defaults  1 of 1, whose uploads fail then: b-1" in result.stdout
    assert result.stdout.endswith("0 versions are unreadable, and uploads fail.\n")


def test_a_servers_default_key_is_needed_by_more_than_objects(run: Mcpy, s3: S3) -> None:
    put(s3, "s3", SSE_S3)
    s3.put_bucket_encryption("b-1", BucketEncryption("AES256"), current=None)
    result = run("encrypt", "impact", "my-key", "play")
    assert result.exit_code == 3
    assert "yes: its IAM and settings are sealed with it too" in result.stdout
    assert "1 version, 7 B: those written while it was the default" in result.stdout
    assert "Bucket defaults  1 of 1" in result.stdout
    assert "and possibly 1 more, and a server loses its default key" in result.stdout
    # nobody can vouch against what the server says
    again = run("encrypt", "impact", "--never-default", "my-key", "play")
    assert again.exit_code == 3
    assert "and possibly 1 more" in again.stdout


def test_sse_s3_objects_make_an_answer_incomplete_unless_somebody_vouches(
    run: Mcpy, s3: S3
) -> None:
    put(s3, "s3", SSE_S3)
    result = run("encrypt", "impact", "tenant-a", "play")
    assert result.exit_code == 8
    assert "possibly, if it once was the default (--never-default if not)" in result.stdout
    assert "not known for certain" in result.stderr
    vouched = run("encrypt", "impact", "--never-default", "tenant-a", "play")
    assert (vouched.exit_code, vouched.stderr) == (0, "")
    assert "which never was the default, as you say" in vouched.stdout


def test_what_may_not_be_seen_makes_an_answer_incomplete(run: Mcpy, s3: S3, world: Server) -> None:
    put(s3, "hidden", {})
    world.metadata = False
    world.hook = lambda request: httpx.Response(403) if request.method == "HEAD" else None
    result = run("encrypt", "impact", "tenant-a", "play")
    assert result.exit_code == 8
    assert "Unknown          1 version, 7 B: possibly" in result.stdout


def test_buckets_that_may_not_be_seen_or_listed_make_an_answer_incomplete(
    run: Mcpy, world: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    narrow = {"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::b-1"]}
    monkeypatch.setattr(world, "statements", [narrow])
    denied = s3_error(403, "AccessDenied")
    world.hook = lambda request: denied if b"versions" in request.url.query else None
    result = run("encrypt", "impact", "tenant-a", "play")
    assert result.exit_code == 8
    assert (
        "Not seen         whether these are all its buckets is not known: s3:ListAllMyBuckets on "
        "arn:aws:s3:::* is not granted for certain\n" in result.stdout
    )
    assert result.stdout.count("b-1: AccessDenied: no (s3:ListBucketVersions is needed)\n") == 1


def test_a_bucket_made_while_others_are_looked_at_is_looked_at_too(
    run: Mcpy, s3: S3, world: Server
) -> None:
    def hook(request: httpx.Request) -> None:
        if b"versions" in request.url.query and len(world.store.buckets()) == 1:
            world.hook = None
            s3.make_bucket("b-2")
            s3.put_object("b-2", "late", b"content", headers=kms_with("tenant-a"))

    world.hook = hook
    result = run("encrypt", "impact", "tenant-a", "play")
    assert result.exit_code == 3
    assert "Bucket defaults  0 of 2" in result.stdout
    assert "For example      play/b-2/late" in result.stdout


def test_without_an_administrators_keys_an_answer_is_incomplete(run: Mcpy, world: Server) -> None:
    world.admin = False
    result = run("encrypt", "impact", "tenant-a", "play")
    assert result.exit_code == 8
    assert "Server default   not known" in result.stdout
    assert "the server's default key is not known: AccessDenied" in result.stdout
    assert "whether these are all its buckets is not known: AccessDenied" in result.stdout


def test_uploads_under_way_make_an_answer_incomplete(run: Mcpy, s3: S3) -> None:
    s3.call("POST", "/b-1/large", query=[("uploads", "")], headers=kms_with("tenant-a"))
    result = run("encrypt", "impact", "tenant-a", "play")
    assert result.exit_code == 8
    assert "Uploads          1 under way, whose keys nobody tells" in result.stdout


def test_objects_that_cannot_be_opened_while_the_key_works_are_not_its_own(
    run: Mcpy, s3: S3, world: Server
) -> None:
    world.with_default_key("tenant-b", lambda: put(s3, "lost", SSE_S3))
    world.lose("tenant-b")
    mine = run("encrypt", "impact", "tenant-a", "play", "--never-default")
    assert mine.exit_code == 0
    assert "1 version, 7 B, not by this key, which works" in mine.stdout
    other = run("encrypt", "impact", "tenant-b", "play")
    assert other.exit_code == 8
    assert "1 version, 7 B, possibly by this key" in other.stdout


def test_a_server_that_does_not_answer_gives_no_answer(run: Mcpy, s3: S3, world: Server) -> None:
    put(s3, "s3", SSE_S3)
    world.kms.down = True
    result = run("encrypt", "impact", "tenant-a", "play")
    assert (result.exit_code, result.stdout) == (6, "")


def test_a_report_can_be_had_as_a_page(run: Mcpy, s3: S3, tmp_path: Path) -> None:
    put(s3, "<b>", kms_with("tenant-a"))
    file = tmp_path / "a.html"
    assert run("encrypt", "impact", "--html", str(file), "tenant-a", "play").exit_code == 3
    text = file.read_text()
    assert "play/b-1/&lt;b&gt;" in text
    assert "Without `tenant-a`, 1 version is unreadable." in text


RM = ("kes", "key", "rm", "--yes", "tenant-a")


def test_a_key_is_not_deleted_where_nobody_says_where_to_look(run: Mcpy, world: Server) -> None:
    assert run(*RM) == (
        2,
        "",
        "mcpy: error: nobody looked for what `tenant-a` encrypted, and no alias says where to"
        " look\nmcpy: hint: mcpy kes key rm --yes tenant-a --impact-on ALIAS\n",
    )
    assert not world.deleted


def test_a_key_that_nothing_needs_is_deleted(run: Mcpy, world: Server) -> None:
    result = run(*RM, "--impact-on", "play", "--never-default")
    assert (result.exit_code, result.stdout) == (0, "Deleted key `tenant-a`.\n")
    assert "all of it was looked at" in result.stderr
    assert "not looked at: objects below the name of another (`a/b` beside `a`)" in result.stderr
    assert world.deleted


def test_a_key_that_is_not_there_is_said_before_anybody_looks(
    run: Mcpy, s3: S3, world: Server
) -> None:
    put(s3, "s3", SSE_S3)
    line = ("kes", "key", "rm", "--yes", "nokey", "--impact-on", "play")
    result = run(*line)
    assert (result.exit_code, result.stdout) == (5, "")
    assert "`nokey`" in result.stderr
    assert "needed" not in result.stderr
    result = run(*line, "--if-exists")
    assert (result.exit_code, "needed" in result.stderr) == (0, False)
    assert not any("versions" in call for call in world.calls)


def test_a_wrong_access_key_names_the_alias(run: Mcpy, world: Server) -> None:
    world.hook = lambda _: s3_error(403, "InvalidAccessKeyId")
    result = run("ls", "play")
    assert result.exit_code == 4
    assert result.stderr.endswith(
        "hint: mcpy alias set play https://s3.test ACCESSKEY SECRETKEY\n"
    )


def test_the_hint_says_again_where_to_look_and_works_when_pasted(
    run: Mcpy, s3: S3, world: Server
) -> None:
    put(s3, "a", kms_with("tenant-a"))
    result = run(*RM, "--impact-on", "play", "--never-default")
    assert (result.exit_code, result.stdout) == (3, "")
    line = "kes key rm --yes tenant-a --impact-on play --never-default --impact-accepted 1"
    assert f"mcpy: hint: mcpy {line}\n" in result.stderr
    assert run(*line.split()).exit_code == 0
    assert world.deleted


def test_the_aliases_that_use_a_kes_are_looked_at_by_themselves(
    run: Mcpy, s3: S3, world: Server
) -> None:
    put(s3, "a", kms_with("tenant-a"))
    profile = KesProfile("kes.test:7373", api_key=KES_API_KEY)
    run.store.put(Alias("prod", "https://prod.test", ACCESS, SECRET, kes=profile))
    for line in (RM, (*RM, "--alias", "prod")):
        result = run(*line)
        assert result.exit_code == 3
        assert "on prod (https://prod.test)" in result.stderr
    assert not world.deleted


def test_a_key_that_is_needed_is_deleted_when_its_number_is_given(
    run: Mcpy, s3: S3, world: Server
) -> None:
    put(s3, "a", kms_with("tenant-a"))
    put(s3, "b", SSE_S3)
    line = (*RM, "--impact-on", "play")
    refused = run(*line)
    assert refused.exit_code == 3
    assert (
        "1 version is unreadable, and possibly 1 more; --impact-accepted 2+ would"
        in refused.stderr
    )
    assert "--impact-accepted 2+ would lose that for ever" in refused.stderr
    assert run(*line, "--impact-accepted", "1").exit_code == 3
    assert not world.deleted
    assert run(*line, "--impact-accepted", "2+").exit_code == 0
    assert world.deleted


@pytest.mark.parametrize(("typed", "code"), [("1\ny\n", 0), ("2\n", 1), ("\n", 1)])
def test_a_person_types_the_number_back(
    run: Mcpy,
    s3: S3,
    world: Server,
    monkeypatch: pytest.MonkeyPatch,
    typed: str,
    code: int,
) -> None:
    put(s3, "a", kms_with("tenant-a"))
    stdin = Terminal(typed)
    monkeypatch.setattr("sys.stdin", stdin)
    line = ("kes", "key", "rm", "tenant-a", "--impact-on", "play", "--never-default")
    result = run(*line, stdin=stdin, stderr=Terminal())
    assert result.exit_code == code
    assert world.deleted == (code == 0)


def test_a_server_that_does_not_answer_keeps_the_key(run: Mcpy, s3: S3, world: Server) -> None:
    put(s3, "s3", SSE_S3)
    world.kms.down = True
    result = run(*RM, "--impact-on", "play")
    assert result.exit_code == 6
    assert "could not be looked for, so nothing was done" in result.stderr
    assert not world.deleted


def test_a_saved_report_serves_for_an_hour(run: Mcpy, world: Server, tmp_path: Path) -> None:
    file = tmp_path / "impact.json"
    look = ("encrypt", "impact", "--never-default", "--save", str(file), "tenant-a", "play")
    assert run(*look).exit_code == 0
    document = json.loads(file.read_text())
    document["impact"][0]["created"] = stamp(datetime.now(UTC) - timedelta(minutes=61))
    old = tmp_path / "old.json"
    old.write_text(json.dumps(document))
    late = run(*RM, "--impact-report", str(old))
    assert late.exit_code == 1
    assert "more than an hour ago" in late.stderr
    assert not world.deleted
    world.calls.clear()
    result = run(*RM, "--impact-report", str(file))
    assert (result.exit_code, result.stdout) == (0, "Deleted key `tenant-a`.\n")
    assert all(call.startswith("KES") for call in world.calls)


def test_a_report_of_another_key_is_none(run: Mcpy, world: Server, tmp_path: Path) -> None:
    file = tmp_path / "impact.json"
    run("encrypt", "impact", "--save", str(file), "tenant-b", "play")
    result = run(*RM, "--impact-report", str(file))
    assert result.exit_code == 5
    assert "does not tell of `tenant-a`" in result.stderr
    assert not world.deleted


@pytest.mark.parametrize(
    "text", ["", "[]", '{"version": 1, "impact": [{}]}', '{"version": 2, "impact": []}']
)
def test_a_file_that_is_no_report_is_an_error(run: Mcpy, tmp_path: Path, text: str) -> None:
    file = tmp_path / "impact.json"
    file.write_text(text)
    result = run(*RM, "--impact-report", str(file))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "impact report" in result.stderr


def test_erasing_at_the_keystore_asks_for_the_impact_too(
    run: Mcpy, s3: S3, tmp_path: Path
) -> None:
    from mcpy.keystores.entry import KeyEntry

    put(s3, "a", kms_with("tenant-a"))
    (tmp_path / "keys").mkdir()
    kept = tmp_path / "keys" / "tenant-a"
    kept.write_bytes(KeyEntry.of(bytes(32), now_ns=1).encode())
    config = tmp_path / "kes.yml"
    config.write_text(f"keystore: {{fs: {{path: {tmp_path / 'keys'}}}}}\n")
    twice = ("--yes", "--confirm", "tenant-a")
    line = ("keystore", "erase", "tenant-a", "--config", str(config), *twice)
    assert run(*line).exit_code == 2
    refused = run(*line, "--impact-on", "play")
    assert refused.exit_code == 3
    assert kept.exists()
    assert run(*line, "--impact-on", "play", "--impact-accepted", "1+").exit_code == 0
    assert not kept.exists()
