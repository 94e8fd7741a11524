"""The pure parts of a rewriting: the order of versions, locks, rates, classes."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from mcpy.api.s3listing import Entry
from mcpy.api.s3xml import ObjectLock
from mcpy.errors import InputError, S3Error
from mcpy.fleet.rewrite import locks
from mcpy.fleet.rewrite.goal import MEANINGS, Class, Goal, Outcome, Tally
from mcpy.fleet.rewrite.journal import Version
from mcpy.fleet.rewrite.plan import disorder
from mcpy.fleet.rewrite.rate import Brake, Rate, parse_rate, parse_size
from mcpy.fleet.rewrite.refused import outcome_of_refusal
from mcpy.fleet.rewrite.snapshot import Snapshot, differences
from mcpy.fleet.rewrite.times import Slot, exact, steps
from mcpy.models import ObjectEncryption

if TYPE_CHECKING:
    from collections.abc import Iterator

BASE = datetime(2026, 11, 25, 12, tzinfo=UTC)
S3 = ObjectEncryption("AES256")
KMS = ObjectEncryption("aws:kms", "arn:aws:kms:new")


def listed(ns: int) -> str:
    """The time of a version as MinIO lists it."""
    return f"2026-11-25T12:00:{ns // 10**9:02d}.{ns // 10**6 % 1000:03d}Z"


def ns_of(time: str) -> int:
    return int(time[17:19]) * 10**9 + int(time[20:29])


def histories() -> Iterator[tuple[list[int], list[bool]]]:
    """True times of a key's versions, newest first, and which of them can be rewritten."""
    dice = random.Random(1)
    for _ in range(400):
        span = dice.choice([40, 10**6, 3 * 10**6])
        times = sorted(dice.sample(range(5 * 10**9, 5 * 10**9 + span), 7), reverse=True)
        yield times, [dice.random() < 0.75 for _ in times]


def test_the_order_of_versions_holds_after_every_single_step() -> None:
    moved = kept = 0
    for times, movable in histories():
        now = list(times)
        slots = [Slot(i, listed(ns), movable[i]) for i, ns in enumerate(times)]
        for step in steps(slots):
            assert movable[step.number]
            if not step.time:
                kept += 1
                continue
            now[step.number] = ns_of(step.time)
            moved += 1
            assert now == sorted(now, reverse=True)
            assert len(set(now)) == len(now)
            assert listed(now[step.number]) == listed(times[step.number])
    assert moved > 1000
    assert kept  # versions between two that cannot be moved, in one millisecond


def test_each_version_that_can_be_moved_is_in_exactly_one_step() -> None:
    for times, movable in histories():
        slots = [Slot(i, listed(ns), movable[i]) for i, ns in enumerate(times)]
        numbers = [step.number for step in steps(slots)]
        assert sorted(numbers) == [i for i, can in enumerate(movable) if can]


def test_versions_whose_times_end_at_the_millisecond_keep_their_order() -> None:
    time = "2026-11-25T12:00:00.500Z"
    found = steps([Slot(i, time, movable=True) for i in range(3)])
    assert [(step.number, step.time[-7:]) for step in found] == [
        (0, "999999Z"),
        (1, "999998Z"),
        (2, "999997Z"),
    ]


def test_a_version_alone_in_its_millisecond_keeps_the_time_that_is_shown() -> None:
    assert steps([Slot(0, "2026-11-25T12:00:00.5Z", movable=True)])[0].time == (
        "2026-11-25T12:00:00.500000000Z"
    )
    assert exact("yesterday") == ""


def test_what_is_locked_is_not_touched() -> None:
    later = (BASE + timedelta(days=1)).isoformat().replace("+00:00", "Z")
    free, default = ObjectLock(), ObjectLock("Enabled", "COMPLIANCE", "1DAYS")
    retained = {
        "x-amz-object-lock-mode": "GOVERNANCE",
        "x-amz-object-lock-retain-until-date": later,
    }
    assert locks.obstacle({}, free, BASE) == ""
    assert "legal hold" in locks.obstacle({"x-amz-object-lock-legal-hold": "ON"}, free, BASE)
    assert locks.obstacle({"x-amz-object-lock-legal-hold": "OFF"}, free, BASE) == ""
    assert "GOVERNANCE" in locks.obstacle(retained, free, BASE)
    assert locks.obstacle(retained, free, BASE + timedelta(days=2)) == ""
    assert locks.obstacle(retained, free, BASE + timedelta(days=1, minutes=2))
    unreadable = retained | {"x-amz-object-lock-retain-until-date": "soon"}
    assert locks.obstacle(unreadable, free, BASE)
    assert "lock it anew" in locks.obstacle({}, default, BASE)


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("50", Rate(objects=50)),
        ("0.5/s", Rate(objects=0.5)),
        ("20MiB/s", Rate(size=20 * 1024**2)),
        ("1kB", Rate(size=1000)),
        ("7B/s", Rate(size=7)),
    ],
)
def test_a_rate_is_of_objects_or_of_bytes(text: str, rate: Rate) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["", "0", "fast", "-1", "5 apples", "1e9"])
def test_a_rate_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is not a rate"):
        parse_rate(text)


def test_sizes_are_read() -> None:
    assert (parse_size("5GiB"), parse_size("16MB"), parse_size("7")) == (
        5 * 1024**3,
        16 * 10**6,
        7,
    )
    for text in ("", "0", "5GiB/s", "many"):
        with pytest.raises(InputError, match="is not a size"):
            parse_size(text)


def test_the_brake_lets_so_many_objects_and_bytes_pass_a_second() -> None:
    slept: list[float] = []
    brake = Brake(Rate(objects=10), clock=lambda: 0.0, sleep=slept.append)
    for _ in range(3):
        brake.moved(5)
    assert slept == pytest.approx([0.1, 0.2, 0.3])
    slept.clear()
    Brake(Rate(size=100), clock=lambda: 0.0, sleep=slept.append).moved(50)
    assert slept == [0.5]
    Brake(Rate(), sleep=slept.append).moved(10**9)
    assert slept == [0.5]


def test_a_goal_knows_what_it_is_met_by_and_what_it_means() -> None:
    other = ObjectEncryption("aws:kms", "old")
    plain, customer = ObjectEncryption(), ObjectEncryption(customer=True)
    s3, kms = Goal(S3), Goal(ObjectEncryption("aws:kms", "new"))
    assert (s3.met_by(S3), s3.met_by(KMS), s3.met_by(plain)) == (True, False, False)
    assert (kms.met_by(KMS), kms.met_by(other), kms.met_by(customer)) == (True, False, False)
    assert kms.met_by(ObjectEncryption("aws:kms", "arn:aws:kms:eu-west-1:1:key/new"))
    assert (s3.covers(plain), s3.covers(other)) == (True, False)
    assert Goal(S3, include_kms=True).covers(other)
    assert kms.covers(S3)
    rotation = Goal(ObjectEncryption("aws:kms", "new"), only_kms=True, old_key="old")
    assert (rotation.covers(plain), rotation.covers(S3)) == (False, False)
    assert (rotation.covers(other), rotation.covers(ObjectEncryption("aws:kms", "third"))) == (
        True,
        False,
    )


def test_a_context_goes_with_the_object_to_another_key_and_not_to_sse_s3() -> None:
    source = ObjectEncryption("aws:kms", "old", "e30=")
    assert Goal(ObjectEncryption("aws:kms", "new")).for_source(source).context == "e30="
    assert Goal(S3).for_source(source) == S3


def test_every_class_has_words_and_is_counted_once() -> None:
    assert set(MEANINGS) == set(Class)
    tally = Tally()
    for kind in Class:
        tally.add(Outcome("k", "", kind, 2, before="SSE-S3", new_version=True))
    assert tally.scanned == len(Class)
    assert Tally.load(tally.state()) == tally
    assert tally.unsettled == 7
    assert tally.before == {"SSE-S3": 1}


def entry(version_id: str, second: int, *, marker: bool = False) -> Entry:
    return Entry(
        "k",
        version_id=version_id,
        last_modified=f"2026-11-25T12:00:{second:02d}.000Z",
        is_delete_marker=marker,
    )


def test_an_order_of_versions_that_changed_is_seen() -> None:
    one, two, marker = entry("1", 1), entry("2", 2), entry("m", 3, marker=True)
    before = [marker, two, one]
    assert disorder(before, before) == ""
    assert disorder(before, [entry("new", 9), *before]) == ""
    assert disorder(before, [marker, one]) == ""
    assert "order" in disorder(before, [two, marker, one])
    assert "appeared" in disorder(before, [marker, entry("new", 9), two, one])
    assert "delete marker" in disorder(before, [entry("m", 3), two, one])
    assert "time" in disorder(before, [marker, entry("2", 4), one])


def test_a_null_version_that_somebody_else_wrote_anew_is_not_taken_for_disorder() -> None:
    before = [entry("2", 2), entry("null", 1)]
    assert disorder(before, [entry("null", 9), entry("2", 2)]) == ""
    assert disorder(before, [entry("null", 1), entry("2", 2)])


def test_all_that_differs_is_named() -> None:
    before = Snapshot(
        3, "e", {"expires": "x"}, {"a": "b"}, "d", True, {"SHA256": "s"}, "c", "then"
    )
    after = Snapshot(4, "f", {"content-type": "t"}, {}, "e", True, {"SHA256": "r"}, "", "now")
    assert differences(before, before, keeps_context=True, keeps_time=True) == []
    assert differences(before, after, keeps_context=True, keeps_time=True) == [
        "its modification time",
        "its length (3 became 4)",
        "its content",
        "its checksum SHA256",
        "its content-type",
        "its expires",
        "its tags",
        "its KMS context",
    ]


@pytest.mark.parametrize(
    ("status", "code", "message", "writing", "kind"),
    [
        (403, "AccessDenied", "no", False, Class.UNKNOWN),
        (404, "NoSuchKey", "no", False, Class.GONE),
        (405, "MethodNotAllowed", "no", False, Class.GONE),
        (404, "kms:KeyNotFound", "no", False, Class.UNREADABLE),
        (500, "kms:DecryptionFailed", "no", False, Class.UNREADABLE),
        (400, "InvalidRequest", "The object was stored using a form of Server Side Encryption.",
         False, Class.CUSTOMER),
        (400, "", "", False, Class.UNKNOWN),
        (500, "InternalError", "no", False, Class.FAILED),
        (400, "InvalidRequest", "Object is WORM protected and cannot be overwritten", True,
         Class.LOCKED),
        (404, "kms:KeyNotFound", "no", True, Class.FAILED),
    ],
)  # fmt: skip
def test_a_refusal_is_told_apart(
    status: int, code: str, message: str, writing: bool, kind: Class
) -> None:
    error = S3Error(status, code, message)
    found = outcome_of_refusal(Version("k", "v"), 5, error, writing=writing)
    assert (found.kind, found.size, found.reason) == (kind, 5, error.message)
