"""``encrypt audit --list``: every version by its name, on stdout and in the files, each once."""

from __future__ import annotations

import csv
import tempfile
from typing import TYPE_CHECKING

import pytest

from mcpy.commands.encrypt.audit_list import VersionList
from mcpy.config import write_pieces
from mcpy.errors import ConfigError
from tests.s3_calls import S3 as SSE_S3
from tests.s3_calls import kms_with
from tests.stub import s3_error

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from mcpy.api.s3 import S3
    from tests.in_process import Server
    from tests.running import Mcpy


def put(s3: S3, bucket: str, *keys: str, headers: dict[str, str] | None = None) -> None:
    for key in keys:
        s3.put_object(bucket, key, b"content", headers=headers or {})


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as opened:
        return list(csv.DictReader(opened))


def test_the_files_name_every_violation(run: Mcpy, s3: S3, tmp_path: Path) -> None:
    s3.make_bucket("b-1")
    names = [f"plain-{number:02}" for number in range(25)]
    put(s3, "b-1", *names)
    put(s3, "b-1", "kms", headers=kms_with("tenant-a"))
    file, page = tmp_path / "a.csv", tmp_path / "a.html"
    files = ("--csv", str(file), "--html", str(page))
    arguments = ("--require", "sse-s3", "--list", "violations", *files)
    result = run("encrypt", "audit", *arguments, "play/b-1")
    assert (result.exit_code, result.stdout.count("\nversion\t")) == (3, 45)  # 20 again, as ever
    found = rows(file)
    assert [row["url"].rpartition("/")[2] for row in found] == ["kms", *names]
    assert {name: found[0][name] for name in found[0] if name != "last_modified"} == {
        "kind": "version",
        "url": "play/b-1/kms",
        "version_id": "null",
        "latest": "yes",
        "size": "7",
        "scheme": "sse-kms",
        "key": "tenant-a",
        "violation": "yes",
        "why": "",
    }
    text = page.read_text()
    assert all(f">play/b-1/{name}<" in text for name in names)
    assert oct(file.stat().st_mode)[-3:] == oct(page.stat().st_mode)[-3:] == "600"


def test_by_itself_it_names_what_violates_or_may_not_be_seen(
    run: Mcpy, s3: S3, world: Server
) -> None:
    s3.make_bucket("b-1")
    put(s3, "b-1", "plain")
    put(s3, "b-1", "lost", headers=kms_with("tenant-b"))
    world.lose("tenant-b")
    result = run("encrypt", "audit", "play/b-1", "--require", "any", "--list")
    assert result.stdout.startswith("version\tplain\t\t7\tnull\tplay/b-1/plain\t\n")
    result = run("encrypt", "audit", "play/b-1", "--decrypt-check", "all", "--list")
    assert result.exit_code == 3
    assert result.stdout.startswith("version\tunreadable\ttenant-b\t7\tnull\tplay/b-1/lost\tkms:")
    refused = run("encrypt", "audit", "--list", "play/b-1")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "'all', 'violations', 'plain'" in refused.stderr
    assert "--list violations` is what --list alone means, or put --list last\n" in refused.stderr


def test_a_list_says_what_was_not_looked_at(
    run: Mcpy, s3: S3, world: Server, tmp_path: Path
) -> None:
    for bucket in ("b-1", "b-2"):
        s3.make_bucket(bucket)
        put(s3, bucket, "k", "=1+1")
    denied = s3_error(403, "AccessDenied")

    def guarded(request: httpx.Request) -> httpx.Response | None:
        listing = b"versions" in request.url.query
        return denied if request.url.path == "/b-1" and listing else None

    world.hook = guarded
    file = tmp_path / "a.csv"
    result = run("encrypt", "audit", "--list", "plain", "--csv", str(file), "play")
    assert result.exit_code == 8
    found = [(row["kind"], row["url"], row["why"]) for row in rows(file)]
    assert found == [
        ("version", "play/b-2/=1+1", ""),
        ("version", "play/b-2/k", ""),
        ("incomplete", "play/b-1", "AccessDenied: no (s3:ListBucketVersions is needed)"),
    ]


def test_a_list_of_an_audit_that_goes_on_names_each_version_once(
    run: Mcpy, s3: S3, world: Server, tmp_path: Path
) -> None:
    for bucket in ("b-1", "b-2", "b-3"):
        s3.make_bucket(bucket)
        put(s3, bucket, "k", "l", headers=SSE_S3)
        put(s3, bucket, "plain")
    file, state, listed = (tmp_path / name for name in ("a.csv", "state", "state.list"))
    arguments = ("encrypt", "audit", "--list", "all", "--resume", str(state), "--csv", str(file))
    # what was listed of a bucket that failed in the end is listed anew
    heads = iter(range(100))

    def failing(request: httpx.Request) -> httpx.Response | None:
        reading = request.method == "GET" and request.url.path.startswith("/b-2/")
        return s3_error(500, "kms:DecryptionFailed") if reading and next(heads) else None

    def failing_and_down(request: httpx.Request) -> httpx.Response | None:
        if request.url.path == "/minio/health/ready":
            return s3_error(500, "kms:KeyGenerationFailed")
        return failing(request)

    world.hook = failing_and_down
    more = ("--decrypt-check", "all", "--jobs", "1", "--retries", "0")
    assert run(*arguments, *more, "play").exit_code == 8
    assert listed.exists()
    assert oct(listed.stat().st_mode)[-3:] == "600"
    world.hook = None
    result = run(*arguments, *more, "play")
    assert (result.exit_code, result.stderr) == (0, "")
    assert [row["url"] for row in rows(file)] == [
        f"play/{bucket}/{key}" for bucket in ("b-1", "b-2", "b-3") for key in ("k", "l", "plain")
    ]
    assert not state.exists()
    assert not listed.exists()


def test_a_list_of_other_kinds_does_not_go_on(
    run: Mcpy, s3: S3, world: Server, tmp_path: Path
) -> None:
    for bucket in ("b-1", "b-2"):
        s3.make_bucket(bucket)
    world.hook = lambda request: (
        s3_error(403, "AccessDenied") if request.url.path == "/b-2" else None
    )
    files = ("--csv", str(tmp_path / "a.csv"), "--resume", str(tmp_path / "state"))
    assert run("encrypt", "audit", "--list", "plain", *files, "play").exit_code == 8
    result = run("encrypt", "audit", "--list", "all", *files, "play")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "with other options" in result.stderr


def test_a_list_is_cut_back_to_what_its_state_tells(tmp_path: Path) -> None:
    path = tmp_path / "list"
    first = VersionList(path, [0, 0])
    for number, name in ((0, "a"), (0, "b"), (1, "c"), (1, "d")):
        first.add(number, {"name": name})
    first.close()
    again = VersionList(path, [2, 1])
    again.add(1, {"name": "e"})
    assert [line["name"] for line in again] == ["a", "b", "c", "e"]
    again.close()
    with pytest.raises(ConfigError, match="does not hold all that was listed"):
        VersionList(path, [2, 3])
    write_pieces(path, [b"no list\n"])
    with pytest.raises(ConfigError, match="is not the list of an audit"):
        VersionList(path, [1])


def test_a_folder_that_is_full_or_gone_is_an_error(
    run: Mcpy, s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.make_bucket("b-1")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    result = run("encrypt", "audit", "--list", "all", "--csv", str(tmp_path / "a"), "play/b-1")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "cannot keep the list in" in result.stderr
