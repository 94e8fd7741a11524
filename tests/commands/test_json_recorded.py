"""The JSON of mc and kes, as recorded, and ours on a sandbox: the same fields and types.

Each recorded command line is run as it stands. What is different on purpose stands in
``docs/differences.md``: a difference that is not there fails, and so does a row without one.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from mcpy.models import Alias
from mcpy.sandbox.play import Sandbox
from tests.recordings import DATA
from tests.running import Mcpy
from tests.shapes import Difference, missing, shape, table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.sandbox

KEY = "my-minio-sse-s3-key"
HOST, JOB = "127.0.0.1:9101", "keyrotate-PoTDEMyGEMm9mxea6SoAKF:-1"


def recorded(file: str) -> list[dict[str, Any]]:
    lines = (DATA / file).read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


# what they need that the sandbox has not
NOT_RUN = {
    "alias-set-dns-fail-json": "a name server",
    "alias-set-http-to-https-json": "a second server, with TLS",
    "alias-set-selfsigned-json": "the same",
    "alias-set-not-minio-kes-tls-json": "the same",
    "cat-enc-c-nokey-json": "the same",
    "cp-enc-c-http-json": "a server elsewhere",
    "config-corrupt-alias-set-json": "a broken config file of mc",
    "service-restart-notty-json": "nothing: mc wants a terminal there, and mcpy restarts",
    "service-stop-down-json": "a server that ended",
    "prometheus-generate-json": "a command that mcpy has not",
    "alias-list-empty-json": "a first start, at which mc makes aliases",
    "config-history-2-json": "nothing: it is the line before it",
}
# a secret key with these is split differently, and there is none such here
NOT_RUN |= {f"env-host-{name}-json": "other keys" for name in ("secret-at", "secret-slash")}
MC = [record for record in recorded("mc/json.jsonl") if record["name"] not in NOT_RUN]
# the log and the counters have no end, and help is not JSON
KES = [
    record
    for record in recorded("kes/json.jsonl")
    if record["argv"][0] in {"key", "ls", "policy", "identity", "status"}
]
# what stood there when it was recorded; the rest was recorded on what the fixture makes
BEFORE = {
    "encrypt-info-kms-json": "encrypt set sse-kms tenant-a my/mcb",
    "encrypt-info-after-prefix": "encrypt set sse-s3 my/mcb",
    "stat-bucket-enc-json": "encrypt set sse-kms tenant-a my/mcb",
    "encrypt-info-none-json": "encrypt clear my/mcb",
    "encrypt-set-s3-json": "encrypt clear my/mcb",
    "rb-force-nonempty-json": "mb my/rbx",
    "rb-ok-json": "rb --force --yes my/mcb3",
    "rm-recursive-force-json": "mb my/mcb3",
    "mb-json": "rb --force --yes my/mcb3",
    "mb-exists-json": "mb -p my/mcb",
    "kms-key-create-exists-json": "admin kms key create my mckey-1",
    "rm-json": "cp $LAB/f.txt my/mcb/e/x",
    "rm-marker-json": "cp $LAB/f.txt my/mcv/v",
    "rm-versions-json": "cp $LAB/f.txt my/mcv/v",
    "stat-versions-json": "cp $LAB/f.txt my/mcv/v",
    "ls-versions-json": "cp $LAB/f.txt my/mcv/v",
    "rb-json": "mb my/mcv",
    "config-history-json": "admin config set my scanner speed=fast",
}
# what the server says of itself, and the sandbox says less of
SERVERS_OWN = ("info.servers[].", "Usage.objectsSizesHistogram", "Usage.objectsVersionsHistogram")
# mc's refusals repeat the inner errors of Go
INNER = "error.cause.error."


class Done(NamedTuple):
    exit_code: int
    answers: list[Any]


class Lab:
    """A sandbox like the servers of the recordings, and what our command line says there."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.folder, self.sandbox, self.job = folder, sandbox, JOB
        self.keys = (sandbox.access_key, sandbox.secret_key)
        self.mcpy = Mcpy(folder / "config", None, env={"HOME": str(folder), **sandbox.env()})
        self.mcpy.store.put(Alias("my", sandbox.s3_url, *self.keys))
        self.mcpy.store.put(Alias("noprobe", "http://127.0.0.1:9", *self.keys))
        (folder / "f.txt").write_text("hello\n")
        (folder / "imp.json").write_text(
            f'{{"url":"http://{HOST}","accessKey":"a1","secretKey":"b1"}}'
        )
        (folder / "kr.yaml").write_text(
            "keyrotate: {apiVersion: v1, bucket: enc-1, encryption: {type: sse-s3}}\n"
        )

    def prepare(self) -> None:
        """Make the key, the buckets and the objects that the recordings speak of."""
        for line in (
            f"kes key create {KEY} tenant-a cli1 k-one",
            f"admin kms env my --key {KEY} --write {self.sandbox.home.env_file}",
            "admin service restart my",
            "mb my/mcb my/enc-1",
            "mb --with-versioning my/mcv",
            "cp --enc-kms my/mcb/kms=tenant-a $LAB/f.txt my/mcb/kms",
            "cp --enc-s3 my/mcb/s3 $LAB/f.txt my/mcb/s3",
            "cp $LAB/f.txt my/mcb/plain",
            "cp $LAB/f.txt my/mcb/d/x",
            "cp --enc-s3 my/enc-1 $LAB/f.txt my/enc-1/x",
            "batch start my $LAB/kr.yaml",
        ):
            done = self.mcpy(*self._here(line.split()))
            assert done.exit_code == 0, done
        (found,) = self.mcpy("--json", "batch", "list", "my").objects
        self.job = found["jobs"][0]["id"]

    def mc(self, record: dict[str, Any]) -> Done:
        name = record["name"]
        # whoever was denied has keys that nobody knows
        keys = ("nobody-here", "no-secret-key") if "denied" in name else self.keys
        self.mcpy.store.put(Alias("lister", self.sandbox.s3_url, *keys))
        if line := BEFORE.get(name):
            self.mcpy(*self._here(line.split()))
        env = {k: self._host(v) for k, v in record.get("env", {}).items() if k.startswith("MC_H")}
        stdin = "\n".join(self.keys) if record.get("stdin") else ""
        done = self._run(self._here(record["argv"]), env=env, stdin=stdin)
        if name == "service-freeze-json":
            self.mcpy("admin", "service", "unfreeze", "my")
        return done

    def kes(self, record: dict[str, Any]) -> Done:
        words = record["argv"]
        if words[:2] == ["key", "decrypt"]:
            sealed = self.mcpy("--json", "kes", "key", "encrypt", "cli1", "Hello World")
            words = [*words[:3], sealed.objects[0]["ciphertext"]]
        policies = {"my-app": "minio", "empty-policy": "minio"}
        return self._run(["kes", *(policies.get(word, word) for word in words)])

    def _run(
        self, words: list[str], *, env: dict[str, str] | None = None, stdin: str = ""
    ) -> Done:
        line = ("--json", "--timeout", "20s", *words)
        done = self.mcpy(*line, env=env, stdin=stdin, reveals=True)
        return Done(done.exit_code, [_value(line) for line in done.stdout.splitlines()])

    def _here(self, words: list[str]) -> list[str]:
        found = [word.replace("$LAB", str(self.folder)).replace(JOB, self.job) for word in words]
        found = [self.sandbox.s3_url if f"http://{HOST}" in word else word for word in found]
        if found[:2] == ["alias", "set"] and found[4:] in (
            ["minioadmin"] * 2,
            ["lister", "listersecret"],
        ):
            found[4:] = self.keys
        return found

    def _host(self, value: str) -> str:
        access, secret = self.keys
        host = self.sandbox.s3_url.removeprefix("http://")
        return value.replace("minioadmin:minioadmin", f"{access}:{secret}").replace(HOST, host)


def _value(line: str) -> object:
    try:
        return json.loads(line)
    except ValueError:
        return line


def differences(record: dict[str, Any], done: Done) -> set[str]:
    """Return the paths at which ours is not what was recorded."""
    if (record["exit_code"] == 0) != (done.exit_code == 0):
        return {"exit code"}
    answers = record["answers"] if "answers" in record else [record["answer"]]
    if any(isinstance(answer, str) for answer in [answers, *answers]):
        return set() if done.exit_code == 0 else {"text"}
    found = missing(shape({"": answers}), shape({"": done.answers}))
    paths = {path.removeprefix(".").removeprefix("[]").removeprefix(".") for path, _ in found}
    own = {path for path in paths if path.startswith(SERVERS_OWN)}
    return {INNER + "*" if path.startswith(INNER) else path for path in paths - own}


def command(record: dict[str, Any]) -> str:
    """Return the words of a command line before its first operand."""
    groups = {
        "admin": 3,
        "encrypt": 2,
        "alias": 2,
        "batch": 2,
        "key": 2,
        "policy": 2,
        "identity": 2,
    }
    words = record["argv"]
    count = (
        groups.get(words[0], 1)
        + (words[:2] == ["admin", "kms"])
        - (words[:2] == ["admin", "info"])
    )
    return " ".join(words[:count])


def rows_for(lab: Lab, program: str, record: dict[str, Any]) -> dict[str, set[Difference]]:
    """Run a recorded line, and return for each difference the rows that speak of it."""
    done = lab.mc(record) if program == "mc" else lab.kes(record)
    listed, here = table("JSON"), f"{program} {command(record)}"
    return {
        path: {Difference(here, path), Difference("*", path)} & listed.keys()
        for path in differences(record, done)
    }


# a server that restarts forgets its jobs
MC.sort(key=lambda record: record["argv"][:3] == ["admin", "service", "restart"])
ALL = {f"mc {r['name']}": r for r in MC} | {f"kes {r['name']}": r for r in KES}


@pytest.fixture(scope="module")
def found(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, dict[str, set[Difference]]]]:
    """The differences of every recorded line, by its name; they build on each other's state."""
    with Sandbox() as sandbox:
        lab = Lab(sandbox, tmp_path_factory.mktemp("lab"))
        lab.prepare()
        yield {name: rows_for(lab, name.partition(" ")[0], record) for name, record in ALL.items()}


@pytest.mark.parametrize("name", ALL)
def test_fields_and_types_are_those_recorded_but_for_the_table(
    found: dict[str, dict[str, set[Difference]]], name: str
) -> None:
    unlisted = [path for path, rows in found[name].items() if not rows]
    assert not unlisted, ALL[name]["argv"]


def test_every_row_of_the_table_is_a_difference_there_is(
    found: dict[str, dict[str, set[Difference]]],
) -> None:
    used = {row for paths in found.values() for rows in paths.values() for row in rows}
    assert used == table("JSON").keys()
