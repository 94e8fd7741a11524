"""``encrypt audit``: counts by scheme and key, what it requires, what it opens, and its files."""

from __future__ import annotations

import csv
import json
from contextlib import suppress
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import httpx
import pytest

from mcpy.api.s3info import customer_headers
from mcpy.errors import Interrupted
from mcpy.fleet.audit import AuditedTarget, AuditState, Tally, Watch, Wish, audit_target
from mcpy.fleet.audit.count import Shard
from mcpy.fleet.inventory import Item
from mcpy.fleet.parallel import Stop
from mcpy.models import BucketEncryption, CustomerKey, Target
from tests.in_process import Server
from tests.running import Mcpy, Terminal
from tests.s3_calls import S3 as SSE_S3
from tests.s3_calls import kms_with
from tests.stub import s3_error

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mcpy.api.s3 import S3
    from mcpy.fleet.inventory import State

PLAIN: dict[str, str] = {}


def fill(s3: S3, bucket: str = "b-1") -> None:
    """Make a versioned bucket with each kind of object."""
    s3.make_bucket(bucket)
    s3.set_versioning(bucket, status="Enabled")
    customer = customer_headers(CustomerKey(b"K" * 32))
    for key, headers in (
        ("plain", PLAIN),
        ("s3", PLAIN),
        ("s3", SSE_S3),
        ("dir/kms-a", kms_with("tenant-a")),
        ("dir/kms-b", kms_with("tenant-b")),
        ("customer", customer),
        ("gone", SSE_S3),
    ):
        s3.put_object(bucket, key, b"content", headers=headers)
    s3.delete_object(bucket, "gone")


def rows(stdout: str) -> list[list[str]]:
    return [line.split("\t") for line in stdout.splitlines()]


def test_versions_are_counted_by_scheme_and_key(run: Mcpy, s3: S3) -> None:
    fill(s3)
    assert run("encrypt", "audit", "play/b-1") == (
        0,
        "bucket\tplay/b-1\tnone\t\tplain\t\t1\t7\t1\t7\t0\t0\n"
        "bucket\tplay/b-1\tnone\t\tsse-s3\t\t1\t7\t1\t7\t0\t0\n"
        "bucket\tplay/b-1\tnone\t\tsse-kms\ttenant-a\t1\t7\t0\t0\t0\t0\n"
        "bucket\tplay/b-1\tnone\t\tsse-kms\ttenant-b\t1\t7\t0\t0\t0\t0\n"
        "bucket\tplay/b-1\tnone\t\tsse-c\t\t1\t7\t0\t0\t0\t0\n",
        "",
    )


def test_the_latest_alone_are_counted_when_asked(run: Mcpy, s3: S3) -> None:
    fill(s3)
    result = run("encrypt", "audit", "--latest", "play/b-1/s3")
    assert result == (0, "bucket\tplay/b-1/s3\tnone\t\tsse-s3\t\t1\t7\t0\t0\t0\t0\n", "")


def test_json_has_one_object_for_each_bucket_and_the_sum(run: Mcpy, s3: S3) -> None:
    fill(s3)
    s3.put_bucket_encryption("b-1", BucketEncryption("aws:kms", "tenant-a"), current=None)
    result = run("--json", "encrypt", "audit", "play")
    assert (result.exit_code, result.stderr) == (0, "")
    bucket, summary = result.objects
    assert {name: bucket[name] for name in bucket if name not in {"encryption", "named"}} == {
        "status": "success",
        "type": "bucket",
        "url": "play/b-1",
        "default": {"scheme": "sse-kms", "keyId": "tenant-a"},
        "versions": True,
        "complete": True,
        "objects": 5,
        "olderVersions": 2,
        "deleteMarkers": 1,
        "size": 49,
        "gaps": 0,
        "unnamed": 0,
    }
    assert bucket["encryption"][2] == {
        "scheme": "sse-kms",
        "keyId": "tenant-a",
        "objects": 1,
        "objectsSize": 7,
        "olderVersions": 0,
        "olderVersionsSize": 0,
        "opened": 0,
        "notOpened": 0,
    }
    assert (summary["type"], summary["targets"], summary["objects"]) == ("summary", 1, 5)
    assert summary["encryption"] == bucket["encryption"]


def test_a_requirement_that_is_not_met_is_exit_3_and_names_the_versions(run: Mcpy, s3: S3) -> None:
    fill(s3)
    result = run("encrypt", "audit", "--require", "sse-kms:tenant-a", "play/b-1/dir")
    assert result.exit_code == 3
    assert result.stderr == (
        "mcpy: error: 1 of 2 versions is not sse-kms:tenant-a\n"
        "mcpy: hint: --list violations names them all\n"
    )
    last = rows(result.stdout)[-1]
    assert (last[:3], last[5]) == (["version", "sse-kms", "tenant-b"], "play/b-1/dir/kms-b")


@pytest.mark.parametrize(
    ("required", "target"),
    [
        ("sse-kms", "play/b-1/dir"),
        ("any", "play/b-1/dir"),
        ("sse-s3", "play/b-1/gone"),
        ("any", "play/b-1/customer"),
        ("SSE-KMS:tenant-b", "play/b-1/dir/kms-b"),
    ],
)
def test_a_requirement_that_is_met_is_exit_0(
    run: Mcpy, s3: S3, required: str, target: str
) -> None:
    fill(s3)
    result = run("encrypt", "audit", "--require", required, target)
    assert (result.exit_code, result.stderr) == (0, "")


@pytest.mark.parametrize("required", ["sse-s3", "sse-kms", "any"])
def test_what_may_not_be_seen_does_not_pass(
    run: Mcpy, s3: S3, world: Server, required: str
) -> None:
    s3.make_bucket("b-1")
    s3.put_object("b-1", "k", b"x", headers=SSE_S3)
    world.metadata = False
    world.hook = lambda request: httpx.Response(403) if request.method == "HEAD" else None
    result = run("--json", "encrypt", "audit", "--require", required, "play/b-1")
    assert result.exit_code == 3
    named = result.objects[0]["named"][0]
    assert (named["key"], named["scheme"], named["violation"]) == ("k", "unknown", True)
    assert named["why"] == "denied: s3:GetObject is needed to see how it is encrypted"


@pytest.mark.parametrize("text", ["sse", "sse-s3:key", "sse-kms:", "sse-kms:a/b", ""])
def test_a_requirement_that_is_none_is_refused(run: Mcpy, text: str) -> None:
    result = run("encrypt", "audit", "--require", text, "play/b-1")
    assert (result.exit_code, result.stdout) == (2, "")


def test_versions_are_listed_when_asked_for(run: Mcpy, s3: S3) -> None:
    fill(s3)
    result = run("encrypt", "audit", "--list", "sse-c", "--list", "plain", "play/b-1")
    lines = [row for row in rows(result.stdout) if row[0] == "version"]
    assert [(row[1], row[5]) for row in lines] == [
        ("sse-c", "play/b-1/customer"),
        ("plain", "play/b-1/plain"),
        ("plain", "play/b-1/s3"),
    ]
    result = run("--json", "encrypt", "audit", "--list", "all", "play/b-1")
    assert sum(line["type"] == "version" for line in result.objects) == 8
    markers = [line for line in result.objects if line.get("isDeleteMarker")]
    assert [(line["key"], line["scheme"]) for line in markers] == [("gone", "")]


def test_violations_can_be_listed(run: Mcpy, s3: S3) -> None:
    fill(s3)
    arguments = ("--require", "sse-s3", "--list", "violations")
    result = run("--json", "encrypt", "audit", *arguments, "play/b-1")
    assert result.exit_code == 3
    listed = [line for line in result.objects if line.get("type") == "version"]
    assert [line["key"] for line in listed] == [
        *("customer", "dir/kms-a", "dir/kms-b", "plain"),
        "s3",
    ]
    assert result.objects[-1]["error"]["message"] == "5 of 7 versions are not sse-s3"


def test_the_table_can_be_had_as_csv(run: Mcpy, s3: S3, tmp_path: Path) -> None:
    fill(s3)
    file = tmp_path / "a.csv"
    assert run("encrypt", "audit", "--csv", str(file), "play/b-1/dir").exit_code == 0
    with file.open(newline="") as opened:
        found = list(csv.DictReader(opened))
    assert [(row["scheme"], row["key"], row["objects"], row["complete"]) for row in found] == [
        ("sse-kms", "tenant-a", "1", "yes"),
        ("sse-kms", "tenant-b", "1", "yes"),
    ]


class Links(HTMLParser):
    """Everything a page would fetch, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.texts: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.fetched += [f"{tag} {name}" for name, _ in attrs if name in {"src", "href"}]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_the_page_holds_all_it_needs_and_escapes_names(
    run: Mcpy, s3: S3, world: Server, tmp_path: Path
) -> None:
    fill(s3)
    name = "<script>alert(1)</script>"
    world.with_default_key("tenant-b", lambda: s3.put_object("b-1", name, b"", headers=SSE_S3))
    world.lose("tenant-b")
    file = tmp_path / "a.html"
    result = run("encrypt", "audit", "--require", "any", "--html", str(file), "play")
    assert result.exit_code == 3
    text = file.read_text()
    page = Links()
    page.feed(text)
    assert page.fetched == []
    assert not page.tags & {"script", "link", "img", "iframe"}
    assert {"svg", "table", "footer"} <= page.tags
    assert "<script>" not in text
    assert name in page.texts
    assert "default-src 'none'" in text
    assert "prefers-color-scheme: dark" in text
    assert any("kms:KeyNotFound" in one for one in page.texts)
    assert oct(file.stat().st_mode)[-3:] == "600"


def test_a_file_that_cannot_be_written_is_refused_before_the_work(
    run: Mcpy, s3: S3, world: Server, tmp_path: Path
) -> None:
    fill(s3)
    world.calls.clear()
    result = run("encrypt", "audit", "--html", str(tmp_path / "no" / "a.html"), "play/b-1")
    assert (result.exit_code, world.calls) == (1, [])
    assert "is no folder one may write to" in result.stderr


def test_a_bucket_that_may_not_be_listed_does_not_stop_the_others(
    run: Mcpy, s3: S3, world: Server
) -> None:
    fill(s3, "b-1")
    fill(s3, "b-2")
    denied = s3_error(403, "AccessDenied", "Access Denied.")
    world.hook = lambda request: (
        denied if request.url.path == "/b-1" and b"versions" in request.url.query else None
    )
    result = run("--json", "encrypt", "audit", "play")
    assert (result.exit_code, result.stderr) == (8, "")
    error, first, second, summary, last = result.objects
    assert (
        error["error"]["message"]
        == "AccessDenied: Access Denied (s3:ListBucketVersions is needed)"
    )
    assert (first["url"], first["complete"], first["problem"]) == (
        *("play/b-1", False),
        "AccessDenied: Access Denied (s3:ListBucketVersions is needed)",
    )
    assert (second["url"], second["complete"]) == ("play/b-2", True)
    assert (summary["targetsFailed"], summary["complete"]) == (1, False)
    assert last["error"]["message"] == "1 of 2 failed"


def test_one_bucket_that_is_not_there_is_exit_5(run: Mcpy) -> None:
    result = run("encrypt", "audit", "play/no-such")
    assert result.exit_code == 5
    assert "NoSuchBucket" in result.stderr
    # no line of zeros: nothing was counted
    assert result.stdout.startswith("incomplete\tplay/no-such\tNoSuchBucket")


def test_a_prefix_below_which_nothing_is_passes_no_requirement(run: Mcpy, s3: S3) -> None:
    fill(s3)
    result = run("encrypt", "audit", "--require", "any", "play/b-1/typo")
    assert result.exit_code == 5
    assert "neither an object nor a folder" in result.stderr


def test_a_default_that_may_not_be_read_is_unknown(run: Mcpy, s3: S3, world: Server) -> None:
    fill(s3)
    denied = s3_error(403, "AccessDenied")
    world.hook = lambda request: denied if b"encryption" in request.url.query else None
    result = run("--json", "encrypt", "audit", "play/b-1")
    assert result.objects[0]["default"] == {"scheme": "unknown", "keyId": ""}
    assert result.objects[0]["defaultProblem"] == (
        "AccessDenied: no (s3:GetEncryptionConfiguration is needed)"
    )


def test_a_target_within_another_is_counted_once(run: Mcpy, s3: S3) -> None:
    fill(s3)
    result = run("--json", "encrypt", "audit", "play/b-1", "play/b-*", "play/b-1/dir")
    assert [line["type"] for line in result.objects] == ["bucket", "summary"]


def test_a_kms_that_is_down_is_said_once_and_ends_it(run: Mcpy, s3: S3, world: Server) -> None:
    fill(s3, "b-1")
    fill(s3, "b-2")
    world.kms.down = True
    result = run("encrypt", "audit", "play")
    assert result.exit_code == 6
    assert result.stderr.count("does not answer") == 1
    assert result.stderr.endswith("mcpy: error: all 2 failed\n")


def test_a_server_without_versions_is_audited_by_the_latest_and_says_so(
    run: Mcpy, s3: S3, world: Server
) -> None:
    fill(s3)
    refused = s3_error(501, "NotImplemented")
    world.hook = lambda request: refused if b"versions" in request.url.query else None
    result = run("--json", "encrypt", "audit", "play/b-1")
    assert (result.exit_code, result.objects[0]["versions"]) == (0, False)
    assert result.objects[0]["objects"] == 5
    assert "cannot list versions: only the latest of `play/b-1` are looked at" in result.stderr


@pytest.mark.parametrize("how_many", ["1", "all"])
def test_a_byte_tells_what_headers_do_not(run: Mcpy, s3: S3, world: Server, how_many: str) -> None:
    fill(s3)
    world.lose("tenant-b")  # no listing and no HEAD of SSE-KMS asks the KMS
    assert run("encrypt", "audit", "play/b-1").exit_code == 0
    arguments = ("--decrypt-check", how_many, "--require", "any")
    result = run("--json", "encrypt", "audit", *arguments, "play/b-1/dir")
    assert result.exit_code == 3
    assert [
        [group[name] for name in ("scheme", "keyId", "objects", "size", "opened", "notOpened")]
        for group in [
            one | {"size": one["objectsSize"]} for one in result.objects[0]["encryption"]
        ]
    ] == [["sse-kms", "tenant-a", 1, 7, 1, 0], ["unreadable", "tenant-b", 1, 7, 0, 1]]
    (named,) = result.objects[0]["named"]
    assert (named["key"], named["scheme"]) == ("dir/kms-b", "unreadable")
    assert named["why"].startswith("kms:KeyNotFound")
    assert result.objects[0]["violations"] == 1


@pytest.mark.parametrize("how_many", ["1", "all"])
def test_what_does_not_open_is_exit_3_and_unreadable_in_every_table(
    run: Mcpy, s3: S3, world: Server, tmp_path: Path, how_many: str
) -> None:
    fill(s3)
    s3.put_object("b-1", "dir/kms-b", b"more", headers=kms_with("tenant-b"))
    world.lose("tenant-b")
    file, page = tmp_path / "a.csv", tmp_path / "a.html"
    files = ("--csv", str(file), "--html", str(page))
    result = run("encrypt", "audit", "--decrypt-check", how_many, *files, "play/b-1/dir")
    broken = 1 if how_many == "1" else 2
    assert (result.exit_code, result.stderr) == (
        3,
        f"mcpy: error: {broken} of 3 versions {'is' if broken == 1 else 'are'} unreadable\n"
        "mcpy: hint: --list unreadable names them all\n",
    )
    bad = [row for row in rows(result.stdout) if row[:1] == ["bucket"] and row[4] == "unreadable"]
    assert [(row[5], row[-2:]) for row in bad] == [("tenant-b", ["0", str(broken)])]
    with file.open(newline="") as opened:
        counted = {(row["scheme"], row["key"]): row for row in csv.DictReader(opened)}
    lost = counted["unreadable", "tenant-b"]
    assert int(lost["objects"]) + int(lost["older_versions"]) == broken == int(lost["not_opened"])
    assert (("sse-kms", "tenant-b") in counted) is (how_many == "1")
    assert (
        f"{broken} of 3 versions {'is' if broken == 1 else 'are'} unreadable." in page.read_text()
    )


def test_one_of_the_sample_that_violates_anyway_is_named_once(
    run: Mcpy, s3: S3, world: Server
) -> None:
    fill(s3)
    world.lose("tenant-b")
    arguments = ("--decrypt-check", "3", "--require", "sse-s3")
    result = run("--json", "encrypt", "audit", *arguments, "play/b-1/dir")
    assert (result.exit_code, result.objects[0]["violations"]) == (3, 2)
    named = [(one["key"], one["scheme"]) for one in result.objects[0]["named"]]
    assert named == [("dir/kms-a", "sse-kms"), ("dir/kms-b", "unreadable")]


def test_all_buckets_of_an_alias_are_those_that_these_credentials_may_list(
    run: Mcpy, s3: S3, world: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(s3)
    statement = {"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::b-1/*"]}
    monkeypatch.setattr(Server, "statements", [statement])
    file, page = tmp_path / "a.csv", tmp_path / "a.html"
    files = ("--csv", str(file), "--html", str(page))
    result = run("encrypt", "audit", *files, "play")
    why = (
        "whether these are all its buckets is not known: "
        "s3:ListAllMyBuckets on arn:aws:s3:::* is not granted for certain"
    )
    assert (result.exit_code, result.stderr) == (
        8,
        f"mcpy: warning: play: {why}\n"
        "mcpy: error: this audit is not complete: there may be more than it tells of\n",
    )
    with file.open(newline="") as opened:
        last = list(csv.DictReader(opened))[-1]
    assert (last["target"], last["complete"], last["problem"]) == ("play", "no", why)
    assert f"play: {why}" in page.read_text()
    result = run("--json", "encrypt", "audit", "--require", "any", "play/b-*")
    assert result.exit_code == 3
    assert (result.objects[1]["complete"], result.objects[1]["problems"]) == (
        *(False, [f"play: {why}"]),
    )
    world.calls.clear()
    assert run("encrypt", "audit", "play/b-1").exit_code == 0
    assert not [call for call in world.calls if "admin" in call]


def test_no_default_is_made_up_where_none_was_read(run: Mcpy, s3: S3, world: Server) -> None:
    fill(s3, "b-1")
    fill(s3, "b-2")
    s3.put_bucket_encryption("b-2", BucketEncryption("AES256"), current=None)
    world.kms.down = True
    result = run("--json", "encrypt", "audit", "play")
    assert result.exit_code == 6
    buckets = [line for line in result.objects if line.get("type") == "bucket"]
    assert [one["default"]["scheme"] for one in buckets] == ["none", "unknown"]
    world.kms.down = False
    result = run("--json", "encrypt", "audit", "play/no-such")
    assert (result.exit_code, result.objects[0]["default"]["scheme"]) == (5, "unknown")
    assert "NoSuchBucket" in result.objects[0]["defaultProblem"]


def test_a_kms_that_goes_away_while_objects_are_opened_ends_it(
    run: Mcpy, s3: S3, world: Server
) -> None:
    s3.make_bucket("b-1")
    s3.put_object("b-1", "k", b"x", headers=kms_with("tenant-a"))
    world.kms.down = True
    result = run("encrypt", "audit", "--decrypt-check", "all", "play/b-1")
    assert result.exit_code == 6
    assert "does not answer: kms:DecryptionFailed" in result.stderr


@pytest.mark.parametrize("number", ["0", "-1", "x", "10001", "0" * 5_000 + "1"])
def test_how_many_to_open_is_a_number_or_all(run: Mcpy, number: str) -> None:
    result = run("encrypt", "audit", "--decrypt-check", number, "play/b-1")
    assert (result.exit_code, result.stdout) == (2, "")


def test_a_terminal_shows_how_far_it_is(run: Mcpy, s3: S3) -> None:
    fill(s3)
    terminal = Terminal()
    result = run("encrypt", "audit", "play/b-1", stderr=terminal)
    assert result.exit_code == 0
    assert "play/b-1" in result.stderr


def test_people_get_a_paragraph_with_the_default_beside_the_objects(s3: S3) -> None:
    from mcpy.commands.encrypt.audit_report import AuditSummary, TargetReport
    from mcpy.fleet.audit import Requirement

    fill(s3)
    s3.put_bucket_encryption("b-1", BucketEncryption("AES256"), current=None)
    audited = AuditedTarget(Target("play", "b-1"))
    wish = Wish(requirement=Requirement("any"), open=3)
    audit_target(s3, audited, wish, watch=Watch(), stop=Stop())
    assert TargetReport(audited, wish, aligned=True).text() == (
        "play/b-1\n"
        "  Default   sse-s3\n"
        "  Scheme   Key       Objects       Size  Older versions       Size  Opened\n"
        "  plain    -               1        7 B               1        7 B  -\n"
        "  sse-s3   -               1        7 B               1        7 B  2 of 2\n"
        "  sse-kms  tenant-a        1        7 B               0        0 B  1 of 1\n"
        "  sse-kms  tenant-b        1        7 B               0        0 B  1 of 1\n"
        "  sse-c    -               1        7 B               0        0 B  -\n"
        "  1 delete marker, without content\n"
        "  4 objects are not as the default would store now\n"
        "  0 versions are unreadable\n"
        "  2 versions are not encrypted\n"
        f"  plain      play/b-1/plain ({audited.tally.named[0].version_id})\n"
        f"  plain      play/b-1/s3 ({audited.tally.named[1].version_id})\n"
    )
    total = AuditSummary.of([audited, audited], wish, aligned=True).text()
    assert total.startswith("All 2 targets\n  Scheme")
    assert "4 versions are not encrypted" in total


def test_an_audit_of_the_latest_alone_goes_on_without_counting_twice(
    s3: S3, world: Server, tmp_path: Path
) -> None:
    fill(s3)
    refused = s3_error(501, "NotImplemented")
    world.hook = lambda request: refused if b"versions" in request.url.query else None
    path = tmp_path / "state"
    state = AuditState(TARGETS, QUESTION, path)
    audit_target(s3, state.targets[0], Wish(), watch=Watch(), stop=Stop())
    state.targets[0].done = False  # as of a moment before the end
    state.keep(state.targets[0], now=True)
    again = AuditState(TARGETS, QUESTION, path).targets[0]
    audit_target(s3, again, Wish(), watch=Watch(), stop=Stop())
    assert (again.tally.total().number, again.versions) == (5, False)


QUESTION = {"targets": ["play/b-1"]}
TARGETS = [Target("play", "b-1")]


def straight(s3: S3) -> AuditedTarget:
    state = AuditState(TARGETS, QUESTION, None)
    audit_target(s3, state.targets[0], Wish(), watch=Watch(), stop=Stop())
    return state.targets[0]


def sorted_groups(audited: AuditedTarget) -> tuple[object, ...]:
    return audited.tally.sorted(), audited.tally.delete_markers


def fill_folders(s3: S3) -> None:
    """Make a versioned bucket of three folders, with something beside them."""
    s3.make_bucket("b-1")
    s3.set_versioning("b-1", status="Enabled")
    for number in range(2):
        for key in ("a/1", "a/2", "b/1", "c/1/2", "c/3", "loose"):
            headers = SSE_S3 if number else kms_with("tenant-a")
            s3.put_object("b-1", key, b"content", headers=headers)
    s3.delete_object("b-1", "a/2")


@pytest.mark.parametrize("made", [fill, fill_folders])
@pytest.mark.parametrize("stopped_at", range(1, 14))
def test_an_audit_that_was_stopped_anywhere_goes_on_and_counts_each_version_once(
    s3: S3, tmp_path: Path, made: Callable[[S3], None], stopped_at: int
) -> None:
    made(s3)
    path = tmp_path / "state"
    moments = iter(range(10_000))
    state = AuditState(TARGETS, QUESTION, path, clock=lambda: 3.0 * next(moments))
    seen = 0

    def see(*_: object) -> None:
        nonlocal seen
        seen += 1
        if seen == stopped_at:
            raise Interrupted("interrupted")

    watch = Watch(see, lambda: state.keep(state.targets[0]))
    with suppress(Interrupted):
        audit_target(s3, state.targets[0], Wish(), watch=watch, stop=Stop())
    again = AuditState(TARGETS, QUESTION, path)
    audited = again.targets[0]
    audit_target(s3, audited, Wish(), watch=Watch(), stop=Stop())
    assert sorted_groups(audited) == sorted_groups(straight(s3))
    assert audited.complete


def test_folders_are_counted_at_the_same_time_and_what_lies_beside_them(s3: S3) -> None:
    fill_folders(s3)
    audited = straight(s3)
    assert [shard.prefix for shard in audited.shards] == ["a/", "b/", "c/"]
    assert all(shard.done for shard in audited.shards)
    groups = {group.state: group for group in audited.tally.groups.values()}
    assert (groups["sse-s3"].latest.number, groups["sse-s3"].older.number) == (5, 1)
    assert groups["sse-kms"].older.number == 6
    assert audited.tally.delete_markers == 1


@pytest.mark.parametrize("keys", [(), ("k", "l")])
def test_a_bucket_without_folders_is_listed_once(
    s3: S3, world: Server, tmp_path: Path, keys: tuple[str, ...]
) -> None:
    s3.make_bucket("b-1")
    for key in keys:
        s3.put_object("b-1", key, b"content", headers=SSE_S3)
    world.calls.clear()
    path = tmp_path / "state"
    state = AuditState(TARGETS, QUESTION, path)
    audit_target(s3, state.targets[0], Wish(), watch=Watch(), stop=Stop())
    assert len([call for call in world.calls if "versions" in call]) == 1
    state.keep(state.targets[0], now=True)
    again = AuditState(TARGETS, QUESTION, path).targets[0]
    audit_target(s3, again, Wish(), watch=Watch(), stop=Stop())
    assert again.tally.total().number == len(keys)


def test_another_server_is_not_asked_for_folders(s3: S3, world: Server) -> None:
    fill_folders(s3)
    world.minio = False
    world.calls.clear()
    assert [shard.prefix for shard in straight(s3).shards] == [""]
    assert not [call for call in world.calls if "delimiter" in call]


def test_a_key_with_very_many_versions_is_counted_without_holding_them() -> None:
    shard = Shard("")
    many = [Item("k", str(number)) for number in range(10_001)]
    assert shard.whole_keys([Item("a"), *many]) == [Item("a"), *many]
    assert (shard.torn, shard.held, shard.after) == (True, [], "")
    assert shard.whole_keys([Item("l"), Item("m")]) == [Item("l")]
    assert (shard.torn, shard.after) == (False, "l")
    assert (shard.rest(), shard.done) == ([Item("m")], True)


def test_what_nobody_may_look_at_is_not_called_plain_and_the_right_is_named(
    run: Mcpy, s3: S3, world: Server
) -> None:
    s3.make_bucket("b-1")
    s3.put_object("b-1", "a", b"content", headers=kms_with("tenant-a"))
    world.metadata = False
    world.hook = lambda request: httpx.Response(403) if request.method == "HEAD" else None
    result = run("encrypt", "audit", "--require", "any", "play/b-1")
    assert (result.exit_code, result.stderr) == (
        3,
        "mcpy: error: 1 of 1 version is not shown to be encrypted "
        "(1 of them unknown or unreadable)\n"
        "mcpy: hint: s3:GetObject, and s3:GetObjectVersion for older versions, let them be seen\n",
    )


def test_without_the_right_to_list_versions_the_way_out_is_named(
    run: Mcpy, s3: S3, world: Server
) -> None:
    fill(s3)
    denied = s3_error(403, "AccessDenied")
    world.hook = lambda request: denied if b"versions" in request.url.query else None
    result = run("encrypt", "audit", "play/b-1")
    assert result.exit_code == 4
    assert "--latest needs s3:ListBucket only" in result.stderr
    assert run("encrypt", "audit", "--latest", "play/b-1").exit_code == 0


def test_the_command_goes_on_from_its_file_and_removes_it_in_the_end(
    run: Mcpy, s3: S3, world: Server, tmp_path: Path
) -> None:
    fill(s3, "b-1")
    fill(s3, "b-2")
    file = tmp_path / "state"
    denied = s3_error(403, "AccessDenied")
    world.hook = lambda request: (
        denied if request.url.path == "/b-2" and b"versions" in request.url.query else None
    )
    arguments = ("encrypt", "audit", "--resume", str(file), "play")
    first = run(*arguments)
    assert first.exit_code == 8
    assert f"the same command goes on from {file}" in first.stderr
    world.hook = None
    world.calls.clear()
    second = run(*arguments)
    assert (second.exit_code, second.stderr) == (0, "")
    assert not [call for call in world.calls if call.startswith("GET /b-1")]
    assert [row[1] for row in rows(second.stdout) if row[0] == "bucket"] == [
        *["play/b-1"] * 5,
        *["play/b-2"] * 5,
    ]
    assert not file.exists()


def test_the_file_of_another_audit_is_refused(run: Mcpy, s3: S3, tmp_path: Path) -> None:
    fill(s3)
    file = tmp_path / "state"
    AuditState(TARGETS, QUESTION, file).keep(AuditState(TARGETS, {}, None).targets[0], now=True)
    result = run("encrypt", "audit", "--resume", str(file), "play/b-1")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "is the state of an audit of other targets or with other options" in result.stderr


@pytest.mark.parametrize("content", ["", "[]", '{"version": 2}', "\x00", "[" * 200_000])
def test_a_file_that_is_no_state_is_an_error(
    run: Mcpy, s3: S3, tmp_path: Path, content: str
) -> None:
    fill(s3)
    file = tmp_path / "state"
    file.write_text(content)
    result = run("encrypt", "audit", "--resume", str(file), "play/b-1")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "is not the state of an audit" in result.stderr


def test_a_tally_survives_its_file() -> None:
    tally = Tally()
    states: tuple[State, ...] = ("sse-kms", "unreadable", "plain")
    for number in range(30):
        state = states[number % 3]
        key = "a" if state == "sse-kms" else ""
        tally.add(Item(f"k{number}", "v", state=state, key_id=key), None, sample=3)
    written = json.loads(json.dumps(tally.data()))
    assert Tally.of(written).data() == tally.data()
    assert len(tally.groups["sse-kms", "a"].sample) == 3


def test_a_million_findings_keep_no_more_than_a_few() -> None:
    tally = Tally()
    for number in range(1000):
        tally.add(Item(f"k{number}", why="denied"), None)
    assert (len(tally.named), tally.unnamed) == (20, 980)
