"""One version and a server that fails in each of its ways: nothing is taken for done, or lost."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

import httpx
import pytest

from mcpy.api.http import Deadline, HttpOptions
from mcpy.api.s3 import S3
from mcpy.api.s3xml import ObjectLock
from mcpy.errors import IntegrityError, NotReachedError, UnreachableError
from mcpy.fleet.rewrite.ends import DamagedError, StoppedError
from mcpy.fleet.rewrite.goal import Class, Goal
from mcpy.fleet.rewrite.job import Abilities, How, Job
from mcpy.fleet.rewrite.journal import Journal
from mcpy.fleet.rewrite.one import rewrite
from mcpy.fleet.transfer.place import Place
from mcpy.models import Alias, ObjectEncryption, Target
from tests.stub import s3_error, xml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

S3_GOAL = Goal(ObjectEncryption("AES256"))
KMS_GOAL = Goal(ObjectEncryption("aws:kms", "new"))
COPIED = "<CopyObjectResult><ETag>{}</ETag></CopyObjectResult>"
ALL = Abilities(tells_etag=True, tells_tags=True, tells_context=True, copy_guarded=True)
Reply = httpx.Response | Exception | None


@dataclass
class Object(httpx.BaseTransport):
    """A server with one object; ``on_copy`` and ``on_read`` may answer instead of it."""

    content: bytes = b"content"
    headers: dict[str, str] = field(default_factory=dict)
    on_copy: Callable[[Object], Reply] = lambda _: None
    on_read: Callable[[Object], Reply] = lambda _: None
    kms: bool = True
    calls: list[str] = field(default_factory=list)
    copies: int = 0

    @property
    def etag(self) -> str:
        return hashlib.md5(self.content).hexdigest()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        parts = urlsplit(str(request.url))
        self.calls.append(f"{request.method} {unquote(parts.path)}")
        reply = self._answer(request, parse_qs(parts.query, keep_blank_values=True))
        stream = httpx.ByteStream(reply.content)
        return httpx.Response(reply.status_code, headers=reply.headers, stream=stream)

    def _answer(self, request: httpx.Request, query: dict[str, list[str]]) -> httpx.Response:
        if request.url.path == "/minio/health/ready":
            broken = s3_error(500, "kms:KeyGenerationFailed")
            return httpx.Response(200) if self.kms else broken
        if "list-type" in query:
            return xml(200, "<ListBucketResult/>")
        if request.method == "PUT":
            return self._copy(request)
        if request.method == "GET" and (reply := self.on_read(self)):
            return raised(reply)
        shown = {"etag": f'"{self.etag}"', "content-length": str(len(self.content))}
        content = b"" if request.method == "HEAD" else self.content
        return httpx.Response(200, headers={**shown, **self.headers}, content=content)

    def _copy(self, request: httpx.Request) -> httpx.Response:
        self.copies += 1
        if reply := self.on_copy(self):
            return raised(reply)
        self.encrypt(request.headers)
        return xml(200, COPIED.format(self.etag))

    def encrypt(self, headers: httpx.Headers | None = None) -> None:
        wanted = headers or httpx.Headers({"x-amz-server-side-encryption": "AES256"})
        for name in ("", "-aws-kms-key-id", "-context"):
            full = f"x-amz-server-side-encryption{name}"
            self.headers.pop(full, None)
            if full in wanted:
                self.headers[full] = wanted[full]


def raised(reply: httpx.Response | Exception) -> httpx.Response:
    if isinstance(reply, Exception):
        raise reply
    return reply


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path / "j", {"a": "b"})
    yield made
    made.close()


def job(server: Object, **more: object) -> Job:
    options = HttpOptions(deadline=Deadline(None), transport=server, retries=0)
    s3 = S3(Alias("play", "http://s3.test:9000", "access", "secret"), options)
    place = Place(s3, Target("play", "box", "o"))
    return Job(place, size=len(server.content), etag=server.etag, **more)  # type: ignore[arg-type]


def how(goal: Goal = S3_GOAL, abilities: Abilities = ALL) -> How:
    return How(goal, abilities, ObjectLock())


def kinds(path: Path) -> list[str]:
    """The kinds of lines in a journal."""
    return [line.split('"')[3] for line in path.read_text().splitlines()]


def test_a_copy_that_was_refused_leaves_the_object_and_is_a_failure(journal: Journal) -> None:
    server = Object(on_copy=lambda _: s3_error(507, "XMinioStorageFull", "full"))
    outcome = rewrite(job(server), how(), journal)
    assert (outcome.kind, outcome.reason) == (Class.FAILED, "XMinioStorageFull: full")
    assert kinds(journal.path) == ["header", "intent", "void"]


def test_a_key_that_is_not_there_is_a_failure_and_no_race(journal: Journal) -> None:
    server = Object(on_copy=lambda _: s3_error(404, "kms:KeyNotFound", "no key"))
    outcome = rewrite(job(server), how(KMS_GOAL), journal)
    assert (outcome.kind, server.copies) == (Class.FAILED, 1)


def test_a_copy_that_was_done_in_spite_of_a_refusal_is_compared(journal: Journal) -> None:
    def done(server: Object) -> Reply:
        server.encrypt()
        return s3_error(500, "InternalError", "late")

    outcome = rewrite(job(Object(on_copy=done)), how(), journal)
    assert outcome.kind is Class.REWRITTEN
    assert kinds(journal.path) == ["header", "intent", "done"]


def test_an_object_that_is_another_after_a_refusal_is_looked_at_anew(journal: Journal) -> None:
    def replaced(server: Object) -> Reply:
        if server.copies > 1:
            return None
        server.content = b"of others"
        return s3_error(500, "InternalError", "late")

    server = Object(on_copy=replaced)
    assert rewrite(job(server), how(), journal).kind is Class.REWRITTEN
    assert (server.content, server.copies) == (b"of others", 2)


def test_metadata_that_a_copy_lost_is_damage(journal: Journal) -> None:
    def lose(server: Object) -> Reply:
        server.encrypt()
        del server.headers["x-amz-meta-a"]
        return xml(200, COPIED.format(server.etag))

    server = Object(headers={"x-amz-meta-a": "b"}, on_copy=lose)
    with pytest.raises(DamagedError, match="its x-amz-meta-a changed"):
        rewrite(job(server), how(), journal)
    assert kinds(journal.path) == ["header", "intent"]


def test_a_copy_that_is_not_encrypted_is_damage(journal: Journal) -> None:
    server = Object(on_copy=lambda server: xml(200, COPIED.format(server.etag)))
    with pytest.raises(DamagedError, match=r"its encryption \(no encryption \)"):
        rewrite(job(server), how(), journal)


def test_what_another_wrote_after_the_copy_is_no_damage(journal: Journal) -> None:
    def overtaken(server: Object) -> Reply:
        server.encrypt()
        copied = xml(200, COPIED.format(server.etag))
        if server.copies == 1:
            server.content = b"of others"
            server.headers.clear()
        return copied

    server = Object(on_copy=overtaken)
    assert rewrite(job(server), how(), journal).kind is Class.REWRITTEN
    assert server.copies == 2


def test_a_version_that_is_stored_as_another_is_damage(journal: Journal) -> None:
    def other(server: Object) -> Reply:
        server.encrypt()
        answer = xml(200, COPIED.format(server.etag))
        answer.headers["x-amz-version-id"] = "new"
        return answer

    server = Object(on_copy=other)
    with pytest.raises(DamagedError, match="stored version new instead of old"):
        rewrite(job(server, version_id="old", in_place=True), how(), journal)


@pytest.mark.parametrize(
    ("reply", "kms", "error"),
    [
        (s3_error(500, "kms:DecryptionFailed"), False, StoppedError),
        (s3_error(503, "SlowDown"), True, StoppedError),
        (s3_error(404, "kms:KeyNotFound"), True, DamagedError),
        (s3_error(400, "kms:InvalidCiphertextException"), True, DamagedError),
    ],
)
def test_what_cannot_be_read_after_the_copy_ends_the_run_and_stays_open(
    journal: Journal, reply: httpx.Response, kms: bool, error: type[Exception]
) -> None:
    server = Object(on_read=lambda server: reply if server.copies else None, kms=kms)
    with pytest.raises(error):
        rewrite(job(server), how(), journal)
    assert kinds(journal.path) == ["header", "intent"]


def test_no_answer_and_no_server_leave_the_intent_open(journal: Journal) -> None:
    gone = httpx.ConnectError("refused")
    server = Object(
        on_copy=lambda _: httpx.ReadError("cut"),
        on_read=lambda server: gone if server.copies else None,
    )
    with pytest.raises(UnreachableError):
        rewrite(job(server), how(), journal)
    assert kinds(journal.path) == ["header", "intent"]


def test_a_body_that_is_cut_short_is_one_unreadable_object(journal: Journal) -> None:
    short = httpx.Response(200, headers={"content-length": "9", "etag": '"x"'}, content=b"half")
    outcome = rewrite(job(Object(on_read=lambda _: short)), how(), journal)
    assert outcome.kind is Class.UNREADABLE
    assert kinds(journal.path) == ["header"]


def test_a_server_that_is_gone_is_no_unreadable_object(journal: Journal) -> None:
    server = Object(on_read=lambda _: httpx.ConnectError("refused"))
    with pytest.raises(NotReachedError):
        rewrite(job(server), how(), journal)


def test_an_object_that_changes_between_two_reads_is_looked_at_anew(journal: Journal) -> None:
    replies = [s3_error(412, "PreconditionFailed")]
    server = Object(on_read=lambda _: replies.pop() if replies else None)
    assert rewrite(job(server), how(), journal).kind is Class.REWRITTEN


@pytest.mark.parametrize(
    ("headers", "goal", "kind"),
    [
        ({"x-amz-server-side-encryption": "AES256"}, S3_GOAL, Class.ALREADY),
        ({"x-amz-server-side-encryption": "aws:kms"}, S3_GOAL, Class.OTHER),
        ({"x-amz-server-side-encryption-customer-algorithm": "AES256"}, S3_GOAL, Class.CUSTOMER),
        ({"x-amz-object-lock-legal-hold": "ON"}, S3_GOAL, Class.LOCKED),
        ({"x-amz-missing-meta": "1"}, S3_GOAL, Class.UNSUPPORTED),
        ({"x-amz-server-side-encryption": "aws:kms"}, KMS_GOAL, Class.UNSUPPORTED),
    ],
)
def test_what_needs_nothing_or_must_not_be_touched_is_not(
    journal: Journal, headers: dict[str, str], goal: Goal, kind: Class
) -> None:
    server = Object(headers=dict(headers))
    hidden = Abilities(tells_etag=True, tells_tags=True, copy_guarded=True)
    assert rewrite(job(server), how(goal, hidden), journal).kind is kind
    assert server.copies == 0
    assert kinds(journal.path) == ["header"]


def test_a_time_that_nobody_can_tell_any_more_is_not_made_up(journal: Journal) -> None:
    server = Object()
    listed = job(server, time="2026-11-25T12:00:00.000000000Z")
    outcome = rewrite(listed, how(), journal)
    assert (outcome.kind, server.copies) == (Class.CHANGED, 0)


def test_errors_of_integrity_are_told_apart() -> None:
    assert issubclass(DamagedError, IntegrityError)
