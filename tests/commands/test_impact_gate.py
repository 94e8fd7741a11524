"""The gate before a key goes: the wrong server, the wrong report or half a command opens none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from mcpy.keystores.entry import KeyEntry
from mcpy.models import Alias, KesProfile
from tests.in_process import ACCESS, SECRET, Server
from tests.running import KES_API_KEY, Mcpy
from tests.s3_calls import kms_with
from tests.stub import s3_error

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from mcpy.api.s3 import S3

RM = ("kes", "key", "rm", "--yes", "tenant-a")


@pytest.fixture(autouse=True)
def _bucket(s3: S3) -> None:
    s3.make_bucket("b-1")


def with_kes(run: Mcpy, name: str, server: str, url: str = "https://prod.test") -> None:
    profile = KesProfile(server, api_key=KES_API_KEY)
    run.store.put(Alias(name, url, ACCESS, SECRET, kes=profile))


def test_a_server_whose_kms_lacks_the_key_proves_nothing(run: Mcpy, world: Server) -> None:
    world.lose("tenant-a")
    world.kes_alone = "tenant-a"
    result = run("encrypt", "impact", "tenant-a", "play", "--never-default")
    assert result.exit_code == 5
    assert "this server's KMS does not have the key: is it the right server?" in result.stdout
    assert result.stderr == (
        "mcpy: error: the KMS of `play` has no key `tenant-a`, and no object is under it\n"
        "mcpy: hint: mcpy admin kms key list play\n"
    )
    refused = run(*RM, "--impact-on", "play", "--never-default")
    assert (refused.exit_code, refused.stdout) == (3, "")
    assert (
        "error: the key stays: nothing certainly depends on `tenant-a`, possibly 0 versions, and "
        "not everything could be seen; --impact-accepted 0+ would lose that for ever"
    ) in refused.stderr
    assert not any(call.startswith("KES DELETE") for call in world.calls)


def test_a_key_that_may_have_been_the_default_is_not_free(run: Mcpy, world: Server) -> None:
    result = run("encrypt", "impact", "tenant-a", "play")
    assert result.exit_code == 8
    assert "IAM and settings need it if it once was the default (--never-default)" in result.stdout
    assert run(*RM, "--impact-on", "play").exit_code == 3
    assert not world.deleted


def test_naming_an_alias_does_not_leave_out_those_that_use_the_kes(
    run: Mcpy, s3: S3, world: Server
) -> None:
    s3.put_object("b-1", "a", b"content", headers=kms_with("tenant-a"))
    with_kes(run, "prod", "kes.test:7373")
    with_kes(run, "other", "elsewhere.test:7373")
    for more in (("--impact-on", "play"), ("--alias", "prod", "--impact-on", "play")):
        refused = run(*RM, *more)
        assert refused.exit_code == 3
        assert "on play (https://s3.test)" in refused.stderr
        assert "on prod (https://prod.test)" in refused.stderr
        assert "on other" not in refused.stderr
    assert not world.deleted


@pytest.mark.parametrize("user", [ACCESS, "another"])
def test_two_aliases_of_one_server_are_looked_at_once(
    run: Mcpy, s3: S3, world: Server, user: str
) -> None:
    s3.put_object("b-1", "a", b"content", headers=kms_with("tenant-a"))
    run.store.put(Alias("too", "https://s3.test/", user, SECRET))
    refused = run(*RM, "--impact-on", "play", "--impact-on", "too", "--never-default")
    assert refused.exit_code == 3
    assert "without `tenant-a`, 1 version is unreadable" in refused.stderr
    assert "`tenant-a` on too" not in refused.stderr
    assert not world.deleted


def test_another_user_of_a_server_is_asked_where_the_first_may_not_see_all(
    run: Mcpy, s3: S3, world: Server
) -> None:
    s3.put_object("b-1", "a", b"content", headers=kms_with("tenant-a"))
    run.store.put(Alias("too", "https://s3.test", "another", SECRET))
    world.admin = False
    refused = run(*RM, "--impact-on", "play", "--impact-on", "too", "--never-default")
    assert refused.exit_code == 4
    assert "InvalidAccessKeyId" in refused.stderr
    assert not world.deleted


def test_a_report_of_another_server_opens_nothing(
    run: Mcpy, world: Server, tmp_path: Path
) -> None:
    file = tmp_path / "impact.json"
    run("encrypt", "impact", "--never-default", "--save", str(file), "tenant-a", "play")
    with_kes(run, "prod", "kes.test:7373", "https://prod.test")
    refused = run(*RM, "--impact-report", str(file))
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert f"{file} tells of play (https://s3.test), and not of prod" in refused.stderr
    assert f"mcpy encrypt impact tenant-a prod --save {file}" in refused.stderr
    assert not world.deleted
    run.store.remove("prod")
    taken = run(*RM, "--impact-report", str(file))
    assert taken.exit_code == 0
    assert f"{file} tells of play (https://s3.test)." in taken.stderr


def test_the_hint_of_the_gate_works_as_it_stands(run: Mcpy, s3: S3, world: Server) -> None:
    s3.put_object("b-1", "a", b"content", headers=kms_with("tenant-a"))
    with_kes(run, "prod", "kes.test:7373")
    where = ("--if-exists", "--server", "kes.test:7373", "--alias", "prod")
    given = (*where, "--impact-on", "play", "--never-default")
    refused = run(*RM, *given)
    assert refused.exit_code == 3
    said = (*RM, *where, "--impact-on", "prod", *given[len(where) :])
    line = f"mcpy {' '.join(said)} --impact-accepted 2"
    assert refused.stderr.endswith(
        "error: the key stays: without `tenant-a`, 2 versions are unreadable; "
        f"--impact-accepted 2 would lose that for ever\nmcpy: hint: {line}\n"
    )
    assert run(*line.split()[1:]).exit_code == 0
    assert world.deleted


def test_an_api_key_on_the_line_is_not_repeated_in_a_hint(run: Mcpy, world: Server) -> None:
    refused = run(*RM, "--api-key", KES_API_KEY, "--impact-on", "play")
    assert refused.exit_code == 3
    assert "--api-key API_KEY" in refused.stderr
    assert KES_API_KEY not in refused.stderr
    assert not world.deleted


@pytest.mark.parametrize("odd", ["https://kes:99999", "https://[::1"])
def test_several_kes_and_odd_ones_are_compared_without_a_traceback(
    run: Mcpy, world: Server, odd: str
) -> None:
    with_kes(run, "prod", "kes.test:7373,https://b.test:7373")
    with_kes(run, "odd", odd)
    run.env["KES_SERVER"] = "https://a.test:7373,https://b.test:7373"
    refused = run(*RM)
    assert refused.exit_code == 3
    assert "on prod (https://prod.test)" in refused.stderr
    assert not world.deleted


def test_a_server_that_names_no_default_key_is_asked_by_use(run: Mcpy, world: Server) -> None:
    world.kms.default_key = ""
    result = run("--json", "encrypt", "impact", "tenant-a", "play", "--never-default")
    (server,) = result.objects[0]["servers"]
    assert server["defaultKey"] is None
    assert server["problems"] == ["the server's default key is not known: it names none"]
    assert result.exit_code == 8


def test_a_report_of_the_library_is_as_old_as_its_beginning(
    world: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mcpy.api.http import Deadline, HttpOptions
    from mcpy.api.madmin import MinioAdmin
    from mcpy.client.evidence import Evidence

    asked: list[str] = []

    def now() -> str:
        asked.append(f"{len(world.calls)} calls before")
        return "2026-01-01T00:00:00Z"

    monkeypatch.setattr("mcpy.fleet.impact.report.stamp", now)
    library = Evidence()
    library.alias, library.s3 = world.alias, world.client()
    library.admin = MinioAdmin(world.alias, HttpOptions(Deadline(20), transport=world))
    before = len(world.calls)
    found = library.impact("tenant-a")
    assert found.created == "2026-01-01T00:00:00Z"
    assert asked == [f"{before} calls before"]
    assert len(world.calls) > before


def test_a_version_without_a_key_id_possibly_is_of_any_key() -> None:
    from mcpy.fleet.impact.measure import _sort
    from mcpy.fleet.impact.report import ServerImpact
    from mcpy.fleet.inventory import Item

    found = {
        key: ServerImpact("play", "https://s3.test", default_key="now") for key in ("now", "old")
    }
    item = Item("k", size=7, state="sse-kms")
    _sort(item, "b-1", found)
    assert (found["now"].certain.number, found["now"].possible.number) == (1, 0)
    assert (found["old"].certain.number, found["old"].possible.number) == (0, 1)


def test_wrong_credentials_of_the_alias_are_a_denial(run: Mcpy, world: Server) -> None:
    world.hook = lambda request: (
        s3_error(403, "InvalidAccessKeyId") if request.url.port != 7373 else None
    )
    refused = run(*RM, "--impact-on", "play")
    assert (refused.exit_code, refused.stdout) == (4, "")
    assert not world.deleted


def test_of_several_keys_each_has_a_number_of_its_own(run: Mcpy, s3: S3, world: Server) -> None:
    for name, key in (("a", "tenant-a"), ("b", "tenant-b"), ("c", "tenant-b")):
        s3.put_object("b-1", name, b"content", headers=kms_with(key))
    where = ("--impact-on", "play", "--never-default")
    refused = run(*RM, "tenant-b", *where)
    assert refused.exit_code == 3
    line = refused.stderr.split("mcpy: hint: ")[1]
    assert line == f"mcpy {' '.join((*RM, *where))} --impact-accepted 1\n"
    assert run(*line.split()[1:]).exit_code == 0
    assert set(world.kms.known) == {"my-key", "tenant-b"}


def test_one_number_is_not_taken_for_several_keys(run: Mcpy, s3: S3, world: Server) -> None:
    for name, key in (("a", "tenant-a"), ("b", "tenant-b")):
        s3.put_object("b-1", name, b"content", headers=kms_with(key))
    where = ("--impact-on", "play", "--never-default")
    assert run(*RM, "tenant-b", *where, "--impact-accepted", "1") == (
        2,
        "",
        "mcpy: error: --impact-accepted is the number of one key, and these have one each: "
        "`tenant-a` (1), `tenant-b` (1)\n"
        f"mcpy: hint: mcpy {' '.join((*RM, *where))} --impact-accepted 1\n",
    )
    assert not world.deleted


@pytest.mark.parametrize("server", [("--server", "kes.test:7373"), ()])
def test_an_erasure_looks_on_every_alias_of_the_kes_that_loses_the_key(
    run: Mcpy, s3: S3, tmp_path: Path, server: tuple[str, ...]
) -> None:
    s3.put_object("b-1", "a", b"content", headers=kms_with("tenant-a"))
    with_kes(run, "prod", "kes.test:7373")
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "tenant-a").write_bytes(KeyEntry.of(bytes(32), now_ns=1).encode())
    config = tmp_path / "kes.yml"
    config.write_text(f"keystore: {{fs: {{path: {tmp_path / 'keys'}}}}}\n")
    line = ("keystore", "erase", "tenant-a", "--config", str(config), "--yes")
    refused = run(*line, "--confirm", "tenant-a", *server, "--impact-on", "play")
    assert refused.exit_code == 3
    assert "on prod (https://prod.test)" in refused.stderr
    assert (tmp_path / "keys" / "tenant-a").exists()


def test_a_key_that_was_lost_and_is_named_is_needed(run: Mcpy, s3: S3, world: Server) -> None:
    s3.put_object("b-1", "a", b"content", headers=kms_with("tenant-a"))
    world.lose("tenant-a")
    result = run("encrypt", "impact", "tenant-a", "play", "--never-default")
    assert result.exit_code == 3
    assert result.stderr == "mcpy: error: `tenant-a` is needed: 1+ versions depend on it\n"


def test_one_refusal_is_told_once_and_names_what_may_not_be_done(run: Mcpy, world: Server) -> None:
    world.hook = lambda request: (
        s3_error(403, "AccessDenied") if request.url.path.startswith("/b-1") else None
    )
    result = run("encrypt", "impact", "tenant-a", "play", "--json")
    assert result.exit_code == 8
    (server,) = result.objects[0]["servers"]
    assert len(server["problems"]) == len(set(server["problems"]))
    assert all(problem.startswith("b-1: AccessDenied") for problem in server["problems"])


def test_a_key_made_after_the_look_is_not_deleted(run: Mcpy, world: Server) -> None:
    world.lose("tenant-a")

    def made_meanwhile(request: httpx.Request) -> httpx.Response | None:
        if "versions" in str(request.url):
            world.kms.known["tenant-a"] = world.kms.known["my-key"]
        return None

    world.hook = made_meanwhile
    args = ("--if-exists", "--impact-on", "play", "--never-default", "tenant-b")
    result = run(*RM, *args)
    assert (result.exit_code, result.stdout) == (
        0,
        "Key `tenant-a` was not there: nothing changed.\nDeleted key `tenant-b`.\n",
    )
    assert "tenant-a" in world.kms.known
    assert [call for call in world.calls if call.startswith("KES DELETE")] == [
        "KES DELETE /v1/key/delete/tenant-b"
    ]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("certain.number", -1),
        ("certain.number", "0"),
        ("buckets", True),
        ("uploads", 0.0),
        ("works", "yes"),
        ("default_key", 5),
        ("problems", {}),
        ("problems", [5]),
        ("url", None),
    ],
)
def test_a_report_whose_values_are_of_another_type_is_none(
    run: Mcpy, world: Server, tmp_path: Path, path: str, value: object
) -> None:
    file = tmp_path / "impact.json"
    run("encrypt", "impact", "--never-default", "--save", str(file), "tenant-a", "play")
    report = json.loads(file.read_text())
    place = report["impact"][0]["servers"][0]
    *outer, last = path.split(".")
    for name in outer:
        place = place[name]
    place[last] = value
    file.write_text(json.dumps(report))
    refused = run(*RM, "--impact-report", str(file))
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert f"{file} is not an impact report" in refused.stderr
    assert not world.deleted


def test_a_report_that_is_nested_too_deeply_is_none(run: Mcpy, tmp_path: Path) -> None:
    file = tmp_path / "impact.json"
    file.write_text("[" * 200_000)
    refused = run(*RM, "--impact-report", str(file))
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert f"{file} is not an impact report" in refused.stderr
