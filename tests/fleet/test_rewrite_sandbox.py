"""Rewriting on the embedded server, over real sockets: nothing but the encryption changes."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from mcpy.api.madmin import MinioAdmin
from mcpy.errors import (
    McpyError,
    NotReachedError,
    S3Error,
    UnreachableError,
    UnsupportedError,
)
from mcpy.fleet.rewrite import canary, probes
from mcpy.fleet.rewrite.canary import Ground, Verdict, try_out
from mcpy.fleet.rewrite.ends import DamagedError, StoppedError
from mcpy.fleet.rewrite.goal import Class, Goal, Outcome
from mcpy.fleet.rewrite.job import Abilities
from mcpy.fleet.rewrite.journal import Intent, Journal, Version
from mcpy.fleet.rewrite.leftovers import Leftovers
from mcpy.fleet.rewrite.session import Session, Told, Wish
from mcpy.fleet.rewrite.snapshot import Snapshot
from mcpy.fleet.rewrite.target import look_at
from mcpy.models import Alias, ObjectEncryption, Target
from mcpy.sandbox.play import Sandbox
from tests.mixture import Mixed, census, client, encryptions, fill, locked, uploads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mcpy.api.http import Answer, Call
    from mcpy.api.s3 import S3, Copied
    from mcpy.api.s3listing import Entry
    from mcpy.fleet.rewrite.onto import Order
    from mcpy.fleet.transfer.place import Place

pytestmark = pytest.mark.sandbox
KEYS = ("my-key", "key-two")
S3_GOAL = Goal(ObjectEncryption("AES256"), versions=True)
KMS_GOAL = Goal(ObjectEncryption("aws:kms", "key-two"), versions=True)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox(tmp_path_factory.mktemp("play"), tls=True, kms_key=KEYS[0]) as running:
        s3 = client(alias(running), running.ca)
        admin = MinioAdmin(alias(running), s3.http.options)
        admin.create_key(KEYS[1])
        admin.close()
        s3.http.close()
        yield running


def alias(sandbox: Sandbox) -> Alias:
    return Alias("play", sandbox.s3_url, sandbox.access_key, sandbox.secret_key)


@pytest.fixture
def s3(sandbox: Sandbox) -> Iterator[S3]:
    made = client(alias(sandbox), sandbox.ca)
    yield made
    made.http.close()


@pytest.fixture(autouse=True)
def _small_canary(monkeypatch: pytest.MonkeyPatch) -> None:
    """The canary of every test but its own is small: the server is the same each time."""
    monkeypatch.setattr(Ground, "__init__", _small(Ground.__init__))


def _small(make: Callable[..., None]) -> Callable[..., None]:
    def made(self: Ground, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        make(self, *args, **{"sizes": (0, 3_000), "parts": (), **kwargs})

    return made


class Told_(Told):  # noqa: N801
    """Remembers what was told."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.warnings: list[str] = []
        super().__init__(outcome=self.outcomes.append, warn=self.warnings.append)


def session(s3: S3, bucket: str, folder: Path, goal: Goal = S3_GOAL, **wish: Any) -> Session:  # noqa: ANN401
    made = Session(s3, s3, Target("play", bucket), goal, Wish(folder / "journals", **wish))
    made.told = Told_()
    return made


def mixed(s3: S3, versioning: str, *, customer: bool = False) -> str:
    bucket = f"mixed-{random.getrandbits(48):x}"
    fill(Mixed(s3, bucket, KEYS, customer), versioning)
    return bucket


def no_canary_is_left(s3: S3) -> bool:
    return not [one for one in s3.list_buckets() if one.name.startswith("mcpy-canary-")]


@pytest.mark.parametrize("versioning", ["", "Enabled", "Suspended"])
@pytest.mark.parametrize("goal", [S3_GOAL, KMS_GOAL], ids=["sse-s3", "sse-kms"])
def test_nothing_but_the_encryption_changes(
    s3: S3, tmp_path: Path, versioning: str, goal: Goal
) -> None:
    bucket = mixed(s3, versioning, customer=True)
    before = census(s3, bucket)
    wish = {"whole": versioning == "", "nobody_writes": versioning == "Suspended"}
    tally = session(s3, bucket, tmp_path, goal, **wish).run()
    assert census(s3, bucket) == before
    assert tally.scanned == sum(map(len, before.values()))
    assert tally.count[Class.CUSTOMER] == 1
    assert tally.count[Class.REWRITTEN] > 3
    for (key, version), found in encryptions(s3, bucket).items():
        assert found
        if versioning == "Suspended" and version != "null":
            continue
        assert goal.met_by(found) or found.customer or not goal.covers(found), (key, version)
    again = session(s3, bucket, tmp_path, goal, **wish).run()
    assert again.count[Class.REWRITTEN] == 0
    assert again.scanned == tally.scanned
    assert no_canary_is_left(s3)


def test_older_versions_are_left_and_counted_unless_they_are_asked_for(
    s3: S3, tmp_path: Path
) -> None:
    bucket = mixed(s3, "Enabled")
    before = census(s3, bucket)
    tally = session(s3, bucket, tmp_path, replace(S3_GOAL, versions=False)).run()
    assert census(s3, bucket) == before
    assert tally.count[Class.OLDER] > 5
    assert tally.unsettled == 0
    found = encryptions(s3, bucket)
    for key, versions in before.items():
        for one in versions[1:]:
            if not one["marker"] and not one["latest"] and key in {"many", "null-version"}:
                assert found[key, one["id"]] == ObjectEncryption()


def test_what_is_locked_or_would_be_is_not_touched(s3: S3, tmp_path: Path) -> None:
    bucket = f"locked-{random.getrandbits(48):x}"
    locked(s3, bucket)
    before = census(s3, bucket)
    tally = session(s3, bucket, tmp_path).run()
    assert census(s3, bucket) == before
    assert tally.count[Class.LOCKED] == 3
    assert tally.count[Class.REWRITTEN] == 2
    assert no_canary_is_left(s3)


def test_large_objects_are_copied_in_parts_with_all_they_carry(s3: S3, tmp_path: Path) -> None:
    bucket = mixed(s3, "")
    before = census(s3, bucket)
    tally = session(s3, bucket, tmp_path, copy_limit=5 * 1024**2).run()
    assert census(s3, bucket) == before
    assert tally.count[Class.REWRITTEN] > 10
    assert s3.head_object(bucket, "parts").etag.endswith("-2")
    assert uploads(s3, bucket) == []


def test_where_others_write_an_object_is_uploaded_under_guard_and_else_copied(
    s3: S3, tmp_path: Path
) -> None:
    for nobody_writes in (False, True):
        bucket = in_bucket(s3)
        sent: list[Call] = []
        Between(s3, is_write_of("o"), lambda: None).seen = sent
        session(s3, bucket, tmp_path, nobody_writes=nobody_writes).run()
        (call,) = sent
        assert ("x-amz-copy-source" in call.headers) == nobody_writes
        assert "if-match" in call.headers


def test_while_versioning_is_suspended_nobody_else_may_write(s3: S3, tmp_path: Path) -> None:
    bucket = in_bucket(s3, "Suspended")
    with pytest.raises(UnsupportedError, match="what others write") as refused:
        session(s3, bucket, tmp_path).run()
    assert "enable the bucket's versioning" in (refused.value.hint or "")


def test_a_version_beyond_the_limit_is_told_and_left(s3: S3, tmp_path: Path) -> None:
    bucket = mixed(s3, "Enabled")
    made = session(s3, bucket, tmp_path, copy_limit=5 * 1024**2)
    assert made.run().count[Class.UNSUPPORTED] == 1
    (outcome,) = [one for one in outcomes(made) if one.kind is Class.UNSUPPORTED]
    assert (outcome.key, "this large" in outcome.reason) == ("parts", True)


def outcomes(made: Session) -> list[Outcome]:
    assert isinstance(made.told, Told_)
    return made.told.outcomes


def test_a_rehearsal_says_what_a_run_then_does(s3: S3, tmp_path: Path) -> None:
    bucket = mixed(s3, "Enabled", customer=True)
    found = encryptions(s3, bucket)
    planned = session(s3, bucket, tmp_path).rehearse()
    assert encryptions(s3, bucket) == found
    done = session(s3, bucket, tmp_path).run()
    assert planned.count == done.count
    assert planned.size == done.size
    assert planned.before == done.before
    assert not list(tmp_path.glob("journals/*lock*"))


class Killed(BaseException):
    """The process ends here."""


class Cut:
    """Ends the process at the n-th write to a journal: before it, or after it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, count: int, *, before: bool) -> None:
        self.left, self.before = count, before
        self._write = Journal._write
        cut = self

        def write(journal: Journal, record: dict[str, object]) -> None:
            cut(journal, record)

        monkeypatch.setattr(Journal, "_write", write)

    def __call__(self, journal: Journal, record: dict[str, object]) -> None:
        if self.left < 0:
            raise Killed
        self.left -= 1
        if self.left < 0 and self.before:
            raise Killed
        self._write(journal, record)
        if self.left < 0:
            raise Killed


def small(s3: S3, versioning: str) -> str:
    """A bucket with few objects, for runs that are cut at each single step."""
    bucket = f"small-{random.getrandbits(48):x}"
    s3.make_bucket(bucket)
    s3.put_object(bucket, "a", b"null")
    if versioning:
        s3.set_versioning(bucket, status=versioning)
        s3.put_object(bucket, "a", b"two")
        s3.put_object(bucket, "gone", b"1")
        s3.delete_object(bucket, "gone")
    s3.put_object(bucket, "b", b"3", headers={"x-amz-tagging": "a=b", "x-amz-meta-c": "d"})
    s3.put_object(bucket, "c", b"already", headers={"x-amz-server-side-encryption": "AES256"})
    return bucket


def known(versioning: str) -> Verdict:
    """What the canary finds of this server."""
    return Verdict(Abilities(bool(versioning), not versioning, True, True, True))


@pytest.mark.parametrize("versioning", ["", "Enabled"])
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_a_process_that_ends_at_any_step_is_gone_on_with(
    s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, versioning: str, before: bool
) -> None:
    for step in range(1, 40):
        bucket = small(s3, versioning)
        was = census(s3, bucket)
        if step == 4:  # the canary was cut at each of its steps by now: it takes its time
            monkeypatch.setattr(canary, "try_out", lambda *_: known(versioning))
        with monkeypatch.context() as patch:
            Cut(patch, step, before=before)
            try:
                session(s3, bucket, tmp_path, jobs=1).run()
            except Killed:
                pass
            else:
                assert step > 6
                return
        complete = '"t":"end"' in session(s3, bucket, tmp_path).journal_path.read_text()
        tally = session(s3, bucket, tmp_path, jobs=2).run()
        assert census(s3, bucket) == was, step
        assert tally.scanned == sum(map(len, was.values())), step
        count = 4 if versioning else 2
        expected = {Class.REWRITTEN: count, Class.ALREADY: 1}
        if complete:  # it was killed after its very last word: the next run is another
            expected = {Class.REWRITTEN: 0, Class.ALREADY: count + 1}
        assert {kind: tally.count[kind] for kind in expected} == expected, step
        assert no_canary_is_left(s3), step
    pytest.fail("the run never came to its end")


class Between:
    """Does something when a request of one kind is about to be sent, or was answered."""

    def __init__(
        self,
        s3: S3,
        is_meant: Callable[[Call], bool],
        act: Callable[[], object],
        *,
        after: bool = False,
        times: int = 1,
    ) -> None:
        self._send, self._is_meant, self._act = s3.send, is_meant, act
        self._after, self.left = after, times
        self.seen: list[Call] = []
        s3.send = self  # type: ignore[method-assign]

    def __call__(self, call: Call) -> Answer:
        meant = self.left > 0 and self._is_meant(call)
        self.seen += [call] if meant else []
        self.left -= meant
        if meant and not self._after:
            self._act()
        answer = self._send(call)
        if meant and self._after:
            self._act()
        return answer


def is_write_of(key: str) -> Callable[[Call], bool]:
    """Whether a call overwrites an object, by a copy or an upload, with its encryption."""
    return lambda call: (
        call.method == "PUT"
        and call.target.partition("?")[0].rpartition("/")[2].startswith(key)
        and "x-amz-server-side-encryption" in call.headers
        and "/mcpy-canary-" not in call.target
    )


def in_bucket(s3: S3, versioning: str = "") -> str:
    bucket = f"one-{random.getrandbits(48):x}"
    s3.make_bucket(bucket)
    if versioning:
        s3.set_versioning(bucket, status=versioning)
    s3.put_object(bucket, "first", b"first")
    s3.put_object(bucket, "o", b"content", headers={"x-amz-meta-a": "b"})
    return bucket


def raise_lost() -> None:
    raise UnreachableError("the connection broke")


def test_an_object_that_changes_before_the_copy_is_rewritten_as_it_is_then(
    s3: S3, sandbox: Sandbox, tmp_path: Path
) -> None:
    bucket, other = in_bucket(s3), client(alias(sandbox), sandbox.ca)
    written: list[Entry] = []

    def write() -> None:
        other.put_object(bucket, "o", b"newer")
        written.extend(other.list_objects(bucket, "o"))

    Between(s3, is_write_of("o"), write)
    tally = session(s3, bucket, tmp_path).run()
    assert tally.count == {Class.REWRITTEN: 2}
    with other.get_object(bucket, "o") as (info, stream):
        assert (b"".join(stream.chunks()), info.encryption.algorithm) == (b"newer", "AES256")
    (was,) = (entry.last_modified for entry in written)
    assert [entry.last_modified for entry in other.list_objects(bucket, "o")] == [was]
    other.http.close()


def test_an_object_that_changes_each_time_is_told(
    s3: S3, sandbox: Sandbox, tmp_path: Path
) -> None:
    bucket, other = in_bucket(s3), client(alias(sandbox), sandbox.ca)
    numbers = iter(range(100))
    change = lambda: other.put_object(bucket, "o", b"%d" % next(numbers))  # noqa: E731
    Between(s3, is_write_of("o"), change, times=99)
    tally = session(s3, bucket, tmp_path).run()
    assert tally.count == {Class.REWRITTEN: 1, Class.CHANGED: 1}
    assert tally.unsettled == 1
    other.http.close()


def test_an_object_that_is_removed_meanwhile_stays_removed(
    s3: S3, sandbox: Sandbox, tmp_path: Path
) -> None:
    for versioning in ("", "Enabled"):
        bucket, other = in_bucket(s3, versioning), client(alias(sandbox), sandbox.ca)
        Between(s3, is_write_of("o"), partial(other.delete_object, bucket, "o"))
        tally = session(s3, bucket, tmp_path).run()
        with pytest.raises(S3Error):
            other.head_object(bucket, "o")
        # the version below the marker is rewritten where it is
        assert tally.count[Class.GONE if not versioning else Class.REWRITTEN]
        other.http.close()


def test_an_answer_that_is_lost_is_not_taken_for_a_failure(s3: S3, tmp_path: Path) -> None:
    for versioning in ("", "Enabled"):
        bucket = in_bucket(s3, versioning)
        before = census(s3, bucket)
        Between(s3, is_write_of("o"), raise_lost, after=True)
        tally = session(s3, bucket, tmp_path).run()
        assert tally.count == {Class.REWRITTEN: 2}
        assert census(s3, bucket) == before


def test_a_request_that_is_lost_is_sent_again(s3: S3, tmp_path: Path) -> None:
    bucket = in_bucket(s3)
    Between(s3, is_write_of("o"), raise_lost)
    assert session(s3, bucket, tmp_path).run().count == {Class.REWRITTEN: 2}


def test_a_server_that_is_gone_ends_the_run_which_then_goes_on(
    s3: S3, sandbox: Sandbox, tmp_path: Path
) -> None:
    bucket, broken = in_bucket(s3), client(alias(sandbox), sandbox.ca)
    before = census(s3, bucket)

    def gone(call: Call) -> Answer:
        raise NotReachedError(f"cannot connect for {call.target}")

    def take_down() -> None:
        broken.send = gone  # type: ignore[method-assign]
        broken.http.stream = gone  # type: ignore[method-assign, assignment]
        raise UnreachableError("the connection broke")

    Between(broken, is_write_of("o"), take_down, after=True)
    with pytest.raises(UnreachableError):
        session(broken, bucket, tmp_path).run()
    broken.http.close()
    assert session(s3, bucket, tmp_path).run().count == {Class.REWRITTEN: 2}
    assert census(s3, bucket) == before


def test_what_is_another_afterwards_ends_the_run(
    s3: S3, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from mcpy.fleet.rewrite import onto

    bucket = in_bucket(s3, "Enabled")
    real = onto.copy_onto_itself

    def harmful(place: Place, before: Snapshot, order: Order) -> Copied:
        return real(place, replace(before, headers={}), order)

    monkeypatch.setattr(onto, "copy_onto_itself", harmful)
    s3.put_object(bucket, "a-first", b"x", headers={"x-amz-meta-a": "b"})
    with pytest.raises(DamagedError, match=r"a-first` is not what it was: its x-amz-meta-a"):
        session(s3, bucket, tmp_path).run()
    assert encryptions(s3, bucket)[("o", s3.head_object(bucket, "o").version_id)] == (
        ObjectEncryption()
    )


def test_a_run_ends_when_nothing_succeeds_and_its_failures_are_tried_again(
    s3: S3, tmp_path: Path
) -> None:
    bucket = in_bucket(s3)
    for number in range(40):
        s3.put_object(bucket, f"p{number:02}", b"x")
    full = S3Error(507, "XMinioStorageFull", "no space")

    def refuse() -> None:
        raise full

    send = s3.send
    Between(s3, is_write_of("p"), refuse, times=999)
    with pytest.raises(StoppedError, match="after 25 failures"):
        session(s3, bucket, tmp_path).run()
    s3.send = send  # type: ignore[method-assign]
    made = session(s3, bucket, tmp_path)
    assert made.run().count == {Class.REWRITTEN: 42}
    assert isinstance(made.told, Told_)
    assert "going on" in made.told.warnings[0]


def test_what_cannot_be_looked_at_after_a_kill_stops_the_next_run(
    s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = in_bucket(s3)
    with monkeypatch.context() as patch:
        Cut(patch, 3, before=False)  # header, canary, its end, the first intent
        with pytest.raises(Killed):
            session(s3, bucket, tmp_path, jobs=1).run()

    def denied() -> None:
        raise S3Error(403, "AccessDenied", "no")

    send = s3.send
    Between(s3, lambda call: call.target.endswith("/first"), denied)
    with pytest.raises(StoppedError, match=r"first` was being rewritten when mcpy ended"):
        session(s3, bucket, tmp_path).run()
    s3.send = send  # type: ignore[method-assign]
    assert session(s3, bucket, tmp_path).run().count[Class.REWRITTEN] == 2


def test_an_object_that_another_wrote_after_a_kill_is_told(
    s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = in_bucket(s3)
    with monkeypatch.context() as patch:
        Cut(patch, 3, before=False)
        with pytest.raises(Killed):
            session(s3, bucket, tmp_path, jobs=1).run()
    s3.put_object(bucket, "first", b"other", headers={"x-amz-server-side-encryption": "AES256"})
    made = session(s3, bucket, tmp_path)
    assert made.run().count == {Class.CHANGED: 1, Class.REWRITTEN: 1}
    assert "another by now" in outcomes(made)[0].reason


def test_an_object_that_is_removed_after_a_kill_is_told(
    s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = in_bucket(s3)
    with monkeypatch.context() as patch:
        Cut(patch, 3, before=False)
        with pytest.raises(Killed):
            session(s3, bucket, tmp_path, jobs=1).run()
    s3.delete_object(bucket, "first")
    assert session(s3, bucket, tmp_path).run().count == {Class.GONE: 1, Class.REWRITTEN: 1}


@pytest.mark.parametrize("versioning", ["", "Enabled", "Suspended"])
def test_the_whole_canary_finds_this_server_good_and_leaves_nothing(
    s3: S3, versioning: str
) -> None:
    bucket = in_bucket(s3, versioning)
    found, lock = look_at(s3, Target("play", bucket))
    ground = Ground(found, lock, old_key=KEYS[0], sizes=probes.SIZES, parts=probes.PARTS)
    verdict = try_out(KMS_GOAL, ground)
    assert verdict.problem == ""
    assert verdict.abilities
    assert verdict.abilities.in_place == bool(versioning)
    assert verdict.abilities.keeps_time == (versioning != "Enabled")
    assert verdict.abilities.tells_context
    # while versioning is suspended an upload is not held against a delete marker
    assert (verdict.guarded, verdict.leftovers) == (versioning != "Suspended", ())
    assert verdict.abilities.put_guarded == (versioning == "")
    assert no_canary_is_left(s3)


def test_a_canary_inside_the_bucket_leaves_nothing(s3: S3) -> None:
    bucket = in_bucket(s3, "Enabled")
    before = census(s3, bucket)
    found, lock = look_at(s3, Target("play", bucket))
    verdict = try_out(S3_GOAL, Ground(found, lock, inside=True))
    assert (verdict.problem, verdict.leftovers) == ("", ())
    assert census(s3, bucket) == before


def test_a_bucket_that_is_not_there_is_said_to_be_so(s3: S3, tmp_path: Path) -> None:
    with pytest.raises(McpyError, match="there is no bucket"):
        session(s3, "not-there", tmp_path).run()


def test_a_scratch_bucket_that_comes_to_be_after_its_run_was_killed_is_removed(
    s3: S3, tmp_path: Path
) -> None:
    bucket, late = in_bucket(s3), f"mcpy-canary-{random.getrandbits(48):x}"
    made = session(s3, bucket, tmp_path)
    killed = Journal(made.journal_path, made._header())
    killed.scratch(late)  # it was asked for, and the process ended
    killed.intend(Intent(Version("gone", ""), Snapshot(1, "e", {})))
    killed.close()

    def make() -> None:
        s3.make_bucket(late)
        s3.put_object(late, "direct", b"scratch")

    Between(s3, is_write_of("first"), make)
    assert made.run().count[Class.REWRITTEN] == 2
    assert not s3.bucket_exists(late)
    assert '"t":"clean"' in made.journal_path.read_text().splitlines()[-1]


def test_what_another_run_left_is_named_when_it_is_old_and_never_removed(s3: S3) -> None:
    name = f"mcpy-canary-{random.getrandbits(48):x}"
    s3.make_bucket(name)
    said: list[str] = []
    for hours, expected in ((0, []), (2, [name])):
        leftovers = Leftovers(s3, "play", warn=said.append, now=partial(_in_hours, hours))
        leftovers.clean()
        assert said == []
        leftovers.clean(finally_=True)
        assert said == [
            f"`play/{one}` is perhaps left by a run that was killed: mcpy rb --force play/{one}"
            for one in expected
        ]
    assert s3.bucket_exists(name)
    s3.remove_bucket(name)


def _in_hours(hours: int) -> datetime:
    return datetime.now(UTC) + timedelta(hours=hours)


def test_a_bucket_with_another_name_is_no_leftover(s3: S3) -> None:
    bucket = in_bucket(s3)
    Leftovers(s3, "play", [bucket]).clean(finally_=True)
    assert s3.bucket_exists(bucket)


def test_who_may_not_list_buckets_is_told_of_no_leftovers(s3: S3) -> None:
    def deny() -> None:
        raise S3Error(403, "AccessDenied", "no")

    said: list[str] = []
    Between(s3, lambda call: call.target == "/", deny)
    Leftovers(s3, "play", warn=said.append).clean(finally_=True)
    assert said == []


@pytest.mark.parametrize("created", ["", "yesterday", "2020-01-01T00:00:00"])
def test_a_bucket_whose_age_nobody_knows_is_not_called_old(s3: S3, created: str) -> None:
    assert not Leftovers(s3, "play")._is_old(created)
