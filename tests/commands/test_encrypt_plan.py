"""``encrypt plan`` and ``encrypt apply`` on a sandbox, which may be made to obey policies."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest

from mcpy.cli.sizes import plural
from mcpy.models import Alias
from mcpy.sandbox.play import Sandbox
from tests.fleet.obeying import Obeying
from tests.running import Mcpy, Result

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

    from mcpy.api.s3 import S3

pytestmark = pytest.mark.sandbox

KEY = "my-minio-sse-s3-key"
NUMBERS = itertools.count()
OTHERS = {
    "Sid": "readers",
    "Effect": "Allow",
    "Principal": {"AWS": ["*"]},
    "Action": ["s3:GetObject"],
    "Resource": ["arn:aws:s3:::x/*"],
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as started:
        yield started


@pytest.fixture(scope="module")
def folder(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A config folder after steps 1 to 3 of the page."""
    folder = tmp_path_factory.mktemp("config")
    mcpy = client(folder, sandbox)
    written = ("--key", KEY, "--write", str(sandbox.home.env_file))
    for step in (
        ("kes", "key", "create", KEY),
        ("admin", "kms", "env", "play", *written),
        ("admin", "service", "restart", "play"),
    ):
        assert mcpy(*step).exit_code == 0
    return folder


def client(folder: Path, sandbox: Sandbox, transport: httpx.BaseTransport | None = None) -> Mcpy:
    made = Mcpy(folder, transport, env={"HOME": str(folder), **sandbox.env()})
    made.secrets = {sandbox.secret_key, sandbox.api_key}
    made.store.put(Alias("play", sandbox.s3_url, sandbox.access_key, sandbox.secret_key))
    return made


@pytest.fixture
def obeying() -> Iterator[Obeying]:
    made = Obeying()
    yield made
    made.close()


@pytest.fixture
def mcpy(folder: Path, sandbox: Sandbox) -> Mcpy:
    return client(folder, sandbox)


@pytest.fixture
def strict(folder: Path, sandbox: Sandbox, obeying: Obeying) -> Mcpy:
    """The same with a server that keeps to policies."""
    return client(folder, sandbox, obeying)


@pytest.fixture
def name(mcpy: Mcpy) -> str:
    """A bucket of the test's own."""
    made = f"plan-{next(NUMBERS)}"
    assert mcpy("mb", f"play/{made}").exit_code == 0
    return made


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "encryption.toml"


def items(result: Result) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the items of a run with --json by target and kind."""
    found = [line for line in result.objects if "what" in line]
    return {(line["target"].partition("/")[2], line["what"]): line for line in found}


def states(result: Result) -> dict[tuple[str, str], str]:
    return {key: item["state"] for key, item in items(result).items()}


def fingerprint(result: Result) -> str:
    return next(str(line["fingerprint"]) for line in result.objects if "fingerprint" in line)


def test_buckets_the_file_says_nothing_about_are_counted(
    mcpy: Mcpy, name: str, file: Path
) -> None:
    file.write_text(f'[buckets."play/{name}"]\nencryption = "none"\n')
    others = len(mcpy("--json", "ls", "play").objects) - 1
    silent = f"; the file says nothing of {plural(others, 'bucket')}" if others else ""
    planned = mcpy("encrypt", "plan", str(file))
    assert (planned.exit_code, planned.stdout) == (0, "")
    assert planned.stderr.startswith(f"mcpy: 1 as wanted{silent}; fingerprint ")
    assert mcpy("mb", f"play/{name}-more").exit_code == 0
    summary = mcpy("--json", "encrypt", "plan", str(file)).objects[-1]
    assert summary["unnamedBuckets"] == others + 1
    assert mcpy("rb", f"play/{name}-more").exit_code == 0


def test_keys_are_made_first_then_defaults_and_a_second_run_changes_nothing(
    mcpy: Mcpy, name: str, file: Path
) -> None:
    file.write_text(
        f'[buckets."play/{name}"]\nencryption = "sse-kms"\nkey = "{name}"\n'
        f'[keys."play/{name}"]\ncreate = true\n'
    )
    planned = mcpy("encrypt", "plan", str(file))
    assert planned.exit_code == 3
    assert planned.stdout == (
        f"~\tkey\tplay/{name}\tmissing -> works\t\n"
        f"~\tdefault\tplay/{name}\tnone -> sse-kms:{name}\t\n"
    )
    assert f"mcpy: error: 2 things differ from {file}\n" in planned.stderr
    assert f"mcpy: hint: mcpy encrypt apply {file}\n" in planned.stderr
    assert mcpy("encrypt", "info", f"play/{name}").exit_code == 5
    applied = mcpy("encrypt", "apply", str(file))
    assert (applied.exit_code, applied.stderr) == (0, "mcpy: 2 changed\n")
    assert applied.stdout == planned.stdout.replace("~", "*")
    info = mcpy("--json", "encrypt", "info", f"play/{name}").objects[0]
    assert info["encryption"] == {"algorithm": "aws:kms", "keyId": name}
    again = mcpy("encrypt", "apply", str(file))
    assert again == (0, "", "mcpy: 2 as wanted\n")
    assert mcpy("encrypt", "plan", str(file)).exit_code == 0


def test_a_plan_sends_nothing_but_reads(strict: Mcpy, obeying: Obeying, name: str) -> None:
    text = (
        f'[keys."play/plan-never"]\ncreate = true\n[buckets."play/{name}"]\n'
        'encryption = "sse-s3"\nuploads = "same"\n'
    )
    result = strict("--json", "encrypt", "plan", "-", stdin=text)
    assert result.exit_code == 3
    assert states(result) == {
        ("plan-never", "key"): "change",
        (name, "default"): "change",
        (name, "uploads"): "change",
    }
    assert {request.partition(" ")[0] for request in obeying.requests} == {"GET"}
    assert "mcpy encrypt apply FILE" in result.stdout  # stdin is used up


def test_a_default_is_cleared_only_where_the_file_says_none(
    mcpy: Mcpy, name: str, file: Path
) -> None:
    assert mcpy("encrypt", "set", "sse-s3", f"play/{name}").exit_code == 0
    file.write_text(f'[buckets."play/{name}"]\nuploads = "any"\n')
    assert mcpy("encrypt", "apply", str(file)).exit_code == 0
    assert mcpy("encrypt", "info", f"play/{name}").exit_code == 0
    file.write_text(f'[buckets."play/{name}"]\nencryption = "none"\n')
    assert (
        mcpy("encrypt", "plan", str(file)).stdout == f"~\tdefault\tplay/{name}\tsse-s3 -> none\t\n"
    )
    assert mcpy("encrypt", "apply", str(file)).exit_code == 0
    assert mcpy("encrypt", "info", f"play/{name}").exit_code == 5
    assert mcpy("encrypt", "apply", str(file)) == (0, "", "mcpy: 1 as wanted\n")


def test_a_key_that_is_not_to_be_made_is_a_finding_and_its_bucket_is_left_alone(
    mcpy: Mcpy, name: str, file: Path
) -> None:
    file.write_text(
        f'[keys."play/lost"]\n[buckets."play/{name}"]\nencryption = "sse-kms"\nkey = "lost"\n'
    )
    planned = mcpy("--json", "encrypt", "plan", str(file))
    assert planned.exit_code == 3
    assert states(planned) == {("lost", "key"): "finding", (name, "default"): "finding"}
    assert "mcpy kes key import lost @BACKUP" in items(planned)[name, "default"]["note"]
    applied = mcpy("--json", "encrypt", "apply", str(file))
    assert applied.exit_code == 3
    assert mcpy("encrypt", "info", f"play/{name}").exit_code == 5


def test_a_lost_key_that_a_bucket_encrypts_by_is_not_made_anew(
    mcpy: Mcpy, name: str, file: Path
) -> None:
    assert mcpy("kes", "key", "create", name).exit_code == 0
    assert mcpy("encrypt", "set", "sse-kms", name, f"play/{name}").exit_code == 0
    assert mcpy("kes", "key", "rm", "--yes", "--without-impact", name).exit_code == 0
    file.write_text(f'[keys."play/{name}"]\ncreate = true\n')
    applied = mcpy("--json", "encrypt", "apply", str(file))
    assert applied.exit_code == 3
    note = items(applied)[name, "key"]["note"]
    assert note == f"play/{name} encrypts by it already: mcpy kes key import {name} @BACKUP"
    assert mcpy("kes", "key", "info", name).exit_code == 5
    assert mcpy("encrypt", "clear", f"play/{name}").exit_code == 0


def test_patterns_speak_of_buckets_that_no_name_and_no_longer_pattern_speaks_of(
    mcpy: Mcpy, file: Path
) -> None:
    for bucket in ("glob-a-1", "glob-a-2", "glob-b-1"):
        assert mcpy("mb", f"play/{bucket}").exit_code == 0
    file.write_text(
        '[buckets."play/glob-*"]\nencryption = "sse-s3"\n'
        f'[buckets."play/glob-a-*"]\nencryption = "sse-kms"\nkey = "{KEY}"\n'
        '[buckets."play/glob-a-2"]\nencryption = "none"\n'
        '[buckets."play/zzz-*"]\nencryption = "sse-s3"\n'
    )
    planned = mcpy("--json", "encrypt", "plan", "--all", str(file))
    wants = {key: item["want"] for key, item in items(planned).items() if key[1] == "default"}
    assert wants == {
        ("glob-a-1", "default"): f"sse-kms:{KEY}",
        ("glob-a-2", "default"): "none",
        ("glob-b-1", "default"): "sse-s3",
    }
    missed = items(planned)["zzz-*", "bucket"]
    assert (missed["note"], missed["state"]) == ("no bucket matches the pattern", "finding")


def test_two_patterns_that_say_as_much_have_to_be_told_apart(mcpy: Mcpy, file: Path) -> None:
    assert mcpy("mb", "play/tie-a-b").exit_code == 0
    file.write_text(
        '[buckets."play/tie-a-*"]\nencryption = "sse-s3"\n'
        '[buckets."play/tie-*-b"]\nencryption = "none"\n'
    )
    refused = mcpy("encrypt", "plan", str(file))
    assert refused.exit_code == 2
    assert "both match `play/tie-a-b`" in refused.stderr
    assert '[buckets."play/tie-a-b"] in the file says which' in refused.stderr


def test_a_missing_bucket_is_a_finding_with_the_command_that_makes_it(
    mcpy: Mcpy, file: Path
) -> None:
    file.write_text('[buckets."play/plan-missing"]\nencryption = "sse-s3"\n')
    planned = mcpy("encrypt", "plan", str(file))
    assert planned.exit_code == 3
    assert (
        planned.stdout
        == "!\tbucket\tplay/plan-missing\tmissing -> there\tmcpy mb play/plan-missing\n"
    )
    assert "hint" not in planned.stderr
    assert mcpy("encrypt", "apply", str(file)).exit_code == 3


def test_apply_refuses_what_is_no_longer_what_was_planned(
    mcpy: Mcpy, name: str, file: Path
) -> None:
    file.write_text(f'[buckets."play/{name}"]\nencryption = "sse-kms"\nkey = "{KEY}"\n')
    expected = fingerprint(mcpy("--json", "encrypt", "plan", str(file)))
    assert mcpy("encrypt", "set", "sse-s3", f"play/{name}").exit_code == 0
    refused = mcpy("encrypt", "apply", "--expect", expected, str(file))
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "this is not what was planned" in refused.stderr
    assert mcpy("--json", "encrypt", "info", f"play/{name}").objects[0]["encryption"] == {
        "algorithm": "AES256"
    }
    expected = fingerprint(mcpy("--json", "encrypt", "plan", str(file)))
    assert mcpy("encrypt", "apply", "--expect", expected, str(file)).exit_code == 0


def test_a_default_changed_by_somebody_between_look_and_act_is_left_alone(
    strict: Mcpy, mcpy: Mcpy, obeying: Obeying, name: str, file: Path
) -> None:
    file.write_text(f'[buckets."play/{name}"]\nencryption = "sse-kms"\nkey = "{KEY}"\n')
    looks = itertools.count()

    def meddle(request: httpx.Request) -> None:
        if "encryption" in str(request.url) and request.method == "GET" and next(looks) == 1:
            assert mcpy("encrypt", "set", "sse-s3", f"play/{name}").exit_code == 0

    obeying.before = meddle
    result = strict("encrypt", "apply", str(file))
    assert result.exit_code == 1
    assert f"somebody changed the default encryption of `play/{name}` meanwhile" in result.stderr
    assert not [request for request in obeying.requests if request.startswith("PUT")]
    obeying.before = None
    assert strict("encrypt", "apply", str(file)).exit_code == 0


def test_uploads_are_refused_on_a_server_that_obeys_beside_the_policy_that_was_there(
    strict: Mcpy, obeying: Obeying, sandbox: Sandbox, name: str, file: Path
) -> None:
    put_policy(strict, name)
    file.write_text(
        f'[buckets."play/{name}"]\nencryption = "sse-kms"\nkey = "{KEY}"\n'
        'uploads = "same-or-default"\n'
    )
    applied = strict("--json", "encrypt", "apply", str(file))
    assert (applied.exit_code, applied.stderr) == (0, "")
    sids = [statement["Sid"] for statement in items(applied)[name, "uploads"]["statements"]]
    assert sids == [
        "McpyUploadsOtherAlgorithm",
        "McpyUploadsCustomerKey",
        "McpyUploadsOtherKey",
        "McpyUploadsNoKey",
    ]
    assert [s["Sid"] for s in obeying.policies[name]] == ["readers", *sids]
    assert list(obeying.policies) == [name]  # nothing is left of the canary
    assert "mcpy-canary" not in strict("ls", "play").stdout
    upload = sandbox.home.env_file
    assert strict("cp", str(upload), f"play/{name}/default").exit_code == 0
    denied = strict("cp", "--enc-s3", f"play/{name}", str(upload), f"play/{name}/other")
    assert denied.exit_code == 4
    assert strict("encrypt", "apply", str(file)) == (0, "", "mcpy: 2 as wanted\n")
    file.write_text(f'[buckets."play/{name}"]\nuploads = "any"\n')
    assert strict("encrypt", "apply", str(file)).exit_code == 0
    assert obeying.policies[name] == [{**OTHERS, "Resource": [f"arn:aws:s3:::{name}/*"]}]


def put_policy(mcpy: Mcpy, bucket: str) -> None:
    """Give a bucket the policy of somebody else."""
    from mcpy.api.http import HttpOptions
    from mcpy.api.s3 import S3

    s3 = S3(mcpy.store.get("play"), HttpOptions(transport=mcpy.transport))
    statement = {**OTHERS, "Resource": [f"arn:aws:s3:::{bucket}/*"]}
    s3.put_bucket_policy(bucket, json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    if not mcpy.transport:
        s3.http.close()


def test_a_mode_that_would_break_multipart_uploads_is_refused(
    strict: Mcpy, obeying: Obeying, name: str, file: Path
) -> None:
    obeying.parts_are_uploads = True
    file.write_text(f'[buckets."play/{name}"]\nencryption = "sse-s3"\nuploads = "same"\n')
    refused = strict("encrypt", "apply", str(file))
    assert refused.exit_code == 8
    assert "refuses a multipart upload as it should be too" in refused.stderr
    assert 'mcpy: hint: uploads = "same-or-default", or "any"' in refused.stderr
    assert name not in obeying.policies
    file.write_text(file.read_text().replace('"same"', '"same-or-default"'))
    assert strict("encrypt", "apply", str(file)).exit_code == 0


def test_a_policy_for_users_holds_the_same_refusals_without_a_principal(
    mcpy: Mcpy, file: Path
) -> None:
    file.write_text('[buckets."play/b*b"]\nencryption = "sse-s3"\nuploads = "same-or-default"\n')
    shown = mcpy("encrypt", "plan", "--user-policy", str(file))
    assert (shown.exit_code, shown.stderr) == (0, "")
    policy = json.loads(shown.stdout)
    assert [s["Resource"] for s in policy["Statement"]] == [["arn:aws:s3:::b*b/*"]] * 2
    assert all({"Principal", "Sid"}.isdisjoint(s) for s in policy["Statement"])
    file.write_text('[buckets."play/bbb"]\nencryption = "sse-s3"\n')
    assert mcpy("encrypt", "plan", "--user-policy", str(file)).exit_code == 2


def upload(mcpy: Mcpy, target: str, *options: str, file: Path) -> None:
    assert mcpy("cp", *options, str(file), target).exit_code == 0


def test_a_requirement_is_looked_for_in_every_object_and_names_the_command_that_changes_it(
    mcpy: Mcpy, name: str, file: Path
) -> None:
    text = f'[buckets."play/{name}"]\nrequire = "sse-kms:{KEY}"\n'
    file.write_text(text)
    empty = mcpy("encrypt", "plan", "--all", str(file))
    assert (empty.exit_code, empty.stdout) == (
        0,
        f"=\tobjects\tplay/{name}\tno object or version\t\n",
    )
    upload(mcpy, f"play/{name}/plain", file=file)
    upload(mcpy, f"play/{name}/s3", "--enc-s3", f"play/{name}", file=file)
    upload(mcpy, f"play/{name}/kms", "--enc-kms", f"play/{name}={KEY}", file=file)
    planned = mcpy("encrypt", "plan", str(file))
    assert (planned.exit_code, planned.stdout) == (
        3,
        f"!\tobjects\tplay/{name}\t2 of 3 are not -> sse-kms:{KEY}\t1 plain, 1 sse-s3, such as "
        f"`play/{name}/plain`: mcpy encrypt objects play/{name} --to sse-kms:{KEY}\n",
    )
    assert mcpy("encrypt", "apply", str(file)).exit_code == 3
    skipped = mcpy("--json", "encrypt", "plan", "--no-objects", str(file))
    assert (skipped.exit_code, states(skipped)) == (0, {(name, "objects"): "unchecked"})
    file.write_text(text.replace(f"sse-kms:{KEY}", "sse-s3"))
    assert "--to sse-s3 --include-kms" in mcpy("encrypt", "plan", str(file)).stdout
    assert mcpy("rm", f"play/{name}/plain").exit_code == 0
    file.write_text(text.replace(f"sse-kms:{KEY}", "any"))
    assert mcpy("encrypt", "plan", "--all", str(file)).stdout == (
        f"=\tobjects\tplay/{name}\tall 2 are encrypted\t\n"
    )


@pytest.fixture
def s3(mcpy: Mcpy) -> Iterator[S3]:
    from mcpy.api.http import HttpOptions
    from mcpy.api.s3 import S3

    made = S3(mcpy.store.get("play"), HttpOptions())
    yield made
    made.http.close()


def test_where_versioning_is_suspended_the_command_that_is_named_works(
    mcpy: Mcpy, s3: S3, name: str, file: Path
) -> None:
    s3.put_object(name, "o", b"plain")
    s3.set_versioning(name, status="Suspended")
    file.write_text(f'[buckets."play/{name}"]\nrequire = "any"\n')
    planned = mcpy("encrypt", "plan", str(file))
    assert (planned.exit_code, planned.stdout) == (
        3,
        f"!\tobjects\tplay/{name}\t1 of 1 is not encrypted -> any\t1 plain, such as "
        f"`play/{name}/o`: mcpy encrypt objects play/{name} --to sse-s3 --nobody-writes, when "
        "nobody writes there meanwhile\n",
    )
    assert f"1 thing differs from {file}, none for apply to change\n" in planned.stderr
    assert "hint" not in planned.stderr
    line = planned.stdout.split(": mcpy ")[1].split(",")[0]
    assert mcpy(*line.split()).exit_code == 0
    assert mcpy("encrypt", "plan", str(file)).exit_code == 0


def test_what_is_held_is_said_to_stay_and_no_command_is_named_for_it(
    mcpy: Mcpy, s3: S3, name: str, file: Path
) -> None:
    name = f"{name}-held"
    s3.make_bucket(name, with_lock=True)
    s3.put_object(name, "h", b"plain", headers={"x-amz-object-lock-legal-hold": "ON"})
    file.write_text(f'[buckets."play/{name}"]\nencryption = "sse-s3"\nrequire = "any"\n')
    held = mcpy("--json", "encrypt", "plan", str(file))
    found = items(held)[name, "objects"]
    assert found["note"] == (
        f"1 plain, such as `play/{name}/h`: nothing can change 1 under retention or legal hold"
    )
    error = held.objects[-1]["error"]
    assert error["message"] == f"2 things differ from {file}, 1 of them for apply to change"
    assert error["hint"] == f"mcpy encrypt apply {file}"
    s3.put_object(name, "free", b"plain")
    found = items(mcpy("--json", "encrypt", "plan", str(file)))[name, "objects"]
    assert found["note"].endswith(
        f"mcpy encrypt objects play/{name} --to sse-s3, which leaves 1 under retention or legal"
        " hold"
    )


def test_a_plan_from_stdin_names_a_file_for_what_comes_next(mcpy: Mcpy, name: str) -> None:
    text = f'[buckets."play/{name}"]\nencryption = "sse-s3"\n'
    planned = mcpy("encrypt", "plan", "-", stdin=text)
    assert planned.exit_code == 3
    assert planned.stderr.endswith(
        "mcpy: error: 1 thing differs from stdin\nmcpy: hint: mcpy encrypt apply FILE\n"
    )
    applied = mcpy("encrypt", "apply", "-", "--expect", "0", stdin=text)
    assert applied.exit_code == 1
    assert applied.stderr.endswith("mcpy: hint: mcpy encrypt plan FILE\n")


def test_older_versions_are_objects_too(mcpy: Mcpy, name: str, file: Path) -> None:
    from mcpy.api.http import HttpOptions
    from mcpy.api.s3 import S3

    s3 = S3(mcpy.store.get("play"), HttpOptions())
    s3.set_versioning(name, status="Enabled")
    s3.http.close()
    file.write_text(
        f'[buckets."play/{name}"]\nencryption = "sse-kms"\nkey = "{KEY}"\nrequire = "sse-kms"\n'
    )
    upload(mcpy, f"play/{name}/o", file=file)
    applied = mcpy("--json", "encrypt", "apply", str(file))
    assert (applied.exit_code, items(applied)[name, "objects"]["have"]) == (3, "1 of 1 is not")
    upload(mcpy, f"play/{name}/o", file=file)
    planned = items(mcpy("--json", "encrypt", "plan", str(file)))[name, "objects"]
    assert planned["have"] == "1 of 2 is not"
    assert planned["note"].endswith(
        f"mcpy encrypt objects play/{name} --to sse-kms:{KEY} --versions"
    )


def test_what_is_exported_is_as_wanted(mcpy: Mcpy, name: str, file: Path) -> None:
    assert mcpy("encrypt", "set", "sse-kms", KEY, f"play/{name}").exit_code == 0
    exported = mcpy("encrypt", "plan", "--export", f"play/{name}")
    assert (exported.exit_code, exported.stderr) == (0, "")
    assert f'[buckets."play/{name}"]\nencryption = "sse-kms"\nkey = "{KEY}"\n' in exported.stdout
    assert f'[keys."play/{KEY}"]\ncreate = false\n' in exported.stdout
    file.write_text(exported.stdout)
    planned = mcpy("encrypt", "plan", "--all", str(file))
    assert planned.exit_code == 0
    assert planned.stdout.startswith(f"=\tkey\tplay/{KEY}\tworks\t\n")


def test_an_exported_bucket_without_a_default_is_not_managed(mcpy: Mcpy, name: str) -> None:
    exported = mcpy("encrypt", "plan", "--export", f"play/{name}").stdout
    assert f'[buckets."play/{name}"]\n# no default encryption' in exported


def test_a_whole_alias_is_exported_with_every_key(mcpy: Mcpy, name: str) -> None:
    assert mcpy("kes", "key", "create", f"only-{name}").exit_code == 0
    exported = mcpy("encrypt", "plan", "--export", "play").stdout
    assert f'[keys."play/only-{name}"]' in exported
    assert f'[buckets."play/{name}"]' in exported


def test_an_object_cannot_be_exported(mcpy: Mcpy, name: str) -> None:
    refused = mcpy("encrypt", "plan", "--export", f"play/{name}/o")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert f"`play/{name}/o` is no bucket" in refused.stderr
