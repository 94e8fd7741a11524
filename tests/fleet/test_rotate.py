"""Rotations: the choice of an engine, waiting for a job, and the requests sent to AWS."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

import httpx
import pytest

from mcpy.api.http import Deadline, HttpOptions
from mcpy.api.madmin import MinioAdmin
from mcpy.api.minio_batch import BatchJobs, NoJobError
from mcpy.api.s3 import S3
from mcpy.api.s3aws import is_aws, update_object_encryption
from mcpy.errors import DeadlineError, InputError, McpyError, S3Error, UnsupportedError
from mcpy.fleet.inventory import Item
from mcpy.fleet.rewrite.goal import Class, Goal
from mcpy.fleet.rewrite.session import Session, Wish
from mcpy.fleet.rotate.batch import Batch
from mcpy.fleet.rotate.engine import WHAT_CHANGES, Engine, Ways, traps
from mcpy.fleet.rotate.session import Rotation
from mcpy.fleet.rotate.survey import Survey, is_key, survey
from mcpy.models import Alias, ObjectEncryption, Target
from tests.stub import s3_error, xml

if TYPE_CHECKING:
    from pathlib import Path

ARN = "arn:aws:kms:eu-west-1:123456789012:key/"
OLD, NEW = ARN + "old", ARN + "new"
FREE = Ways(minio=True, prefix="", locked=False, ages=False, versioned=False)


def item(key: str = "k", **fields: Any) -> Item:  # noqa: ANN401
    return Item(key, **{"state": "sse-kms", "key_id": "old", **fields})


def test_a_survey_counts_by_key_and_says_what_it_could_not_see() -> None:
    found = survey(
        [
            item(),
            item(key_id="new"),
            item(state="sse-s3", key_id="", is_latest=False),
            item(state="", key_id="", is_delete_marker=True),
            item(state="unknown", key_id="", tags="a=b"),
            item(state="unreadable", key_id="", rest_unknown=True, why="gone"),
        ]
    )
    assert found.by_key == {"old": 1, "new": 1}
    assert (found.markers, found.older, found.tagged, found.unseen) == (1, 1, 1, 2)
    assert (found.under_other("new", ""), found.under_other("new", "third")) == (1, 0)
    assert found.data()["complete"] is False
    assert found.data()["incomplete"] == "gone"


def test_keys_are_the_same_however_they_are_spelled() -> None:
    assert is_key(ARN + "new", "new")
    assert is_key("new", ARN + "new")
    assert not is_key("new", "newer")


@pytest.mark.parametrize(
    ("found", "ways", "trap"),
    [
        (Survey(), replace(FREE, minio=False), "no jobs"),
        (Survey(), replace(FREE, prefix="logs"), "merely begin"),
        (Survey(tagged=1), FREE, "tags"),
        (Survey(markers=1), FREE, "delete markers"),
        (Survey(older=1), FREE, "out of order"),
        (Survey(), replace(FREE, versioned=True), "out of order"),
        (Survey(incomplete="x"), FREE, "not all objects can be seen"),
        (Survey(), replace(FREE, locked=True), "object lock"),
        (Survey(), replace(FREE, ages=True), "age of objects"),
    ],
)
def test_each_trap_of_a_job_speaks_against_it(found: Survey, ways: Ways, trap: str) -> None:
    (reason,) = traps(found, ways, "new", "old")
    assert trap in reason


def test_states_and_other_keys_speak_against_a_job_too() -> None:
    found = survey([item(), item(key_id="third"), item(state="sse-s3"), item(state="sse-c")])
    words = " ".join(traps(found, FREE, "new", "old"))
    assert "SSE-S3" in words
    assert "SSE-C" in words
    assert "other keys (third)" in words
    assert traps(survey([item(), item(key_id="new")]), replace(FREE, prefix="a/"), "new", "") == []
    assert set(WHAT_CHANGES) == set(Engine)


class Jobs:
    """Jobs whose states are scripted."""

    def __init__(self, *states: Any) -> None:  # noqa: ANN401
        self.states, self.documents, self.cancelled = list(states), list[str](), list[str]()

    def start(self, document: str) -> dict[str, str]:
        self.documents.append(document)
        return {"id": "j1"}

    def status(self, _: str) -> Any:  # noqa: ANN401
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if isinstance(state, Exception):
            raise state
        return state

    def cancel(self, job: str) -> None:
        self.cancelled.append(job)


def batch(jobs: Jobs) -> Batch:
    ticks = iter(range(10_000))
    return Batch(jobs, sleep=lambda _: None, clock=lambda: float(next(ticks)))  # type: ignore[arg-type]


NO_JOB = NoJobError("j1", S3Error(404, "XMinioAdminNoSuchJob", "no"), hint="x")


def test_a_job_is_waited_for_though_it_is_not_known_at_first() -> None:
    jobs = Jobs(
        NO_JOB, {"rotation": {"objects": 1}}, {"complete": True, "rotation": {"objects": 3}}
    )
    assert batch(jobs).rotate("b", 'p"/', "new") == 3
    assert 'prefix: "p\\"/"' in jobs.documents[0]
    assert 'key: "new"' in jobs.documents[0]
    assert "type: sse-kms" in jobs.documents[0]


def test_a_job_that_fails_or_leaves_objects_out_is_a_failure() -> None:
    for state in ({"failed": True}, {"complete": True, "rotation": {"objectsFailed": 2}}):
        with pytest.raises(McpyError, match="failed on"):
            batch(Jobs(state)).rotate("b", "", "new")


def test_a_job_that_is_not_over_in_time_is_stopped() -> None:
    jobs = Jobs({})
    with pytest.raises(DeadlineError):
        batch(jobs).rotate("b", "", "new", within_s=5)
    assert jobs.cancelled == ["j1"]
    with pytest.raises(NoJobError):
        batch(Jobs(NO_JOB)).rotate("b", "", "new")


@dataclass
class Stored:
    """An object of the pretended AWS."""

    content: bytes
    headers: dict[str, str]
    modified: str = "Wed, 25 Nov 2026 12:00:00 GMT"


@dataclass
class Aws(httpx.BaseTransport):
    """As much of AWS as a rotation asks for; what is sent is remembered."""

    objects: dict[str, Stored] = field(default_factory=dict)
    requests: list[httpx.Request] = field(default_factory=list)
    deaf: bool = False

    def kms(self, key: str, content: bytes, **headers: str) -> None:
        wrapped = {
            "x-amz-server-side-encryption": "aws:kms",
            "x-amz-server-side-encryption-aws-kms-key-id": OLD,
        }
        self.objects[key] = Stored(content, {**wrapped, **headers})

    @property
    def changes(self) -> list[str]:
        return [f"{r.method} {unquote(str(r.url.raw_path, 'ascii'))}" for r in self.requests
                if r.method not in {"GET", "HEAD"}]  # fmt: skip

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        parts = urlsplit(str(request.url))
        query = parse_qs(parts.query, keep_blank_values=True)
        _, _, key = unquote(parts.path).lstrip("/").partition("/")
        reply = self._object(request, key, query) if key else self._bucket(query)
        stream = httpx.ByteStream(reply.content)
        return httpx.Response(reply.status_code, headers=reply.headers, stream=stream)

    def _bucket(self, query: dict[str, list[str]]) -> httpx.Response:
        if "versioning" in query:
            return xml(200, "<VersioningConfiguration/>")
        if "encryption" in query:
            return s3_error(404, "ServerSideEncryptionConfigurationNotFoundError")
        if "object-lock" in query:
            return s3_error(404, "ObjectLockConfigurationNotFoundError")
        if "uploads" in query:
            return xml(200, "<ListMultipartUploadsResult/>")
        if "list-type" not in query:
            return httpx.Response(200)
        listed = "".join(
            f"<Contents><Key>{key}</Key><Size>{len(one.content)}</Size><ETag>{_etag(one)}</ETag>"
            "<LastModified>2026-11-25T12:00:00.000Z</LastModified></Contents>"
            for key, one in sorted(self.objects.items())
        )
        return xml(200, f"<ListBucketResult>{listed}</ListBucketResult>")

    def _object(
        self, request: httpx.Request, key: str, query: dict[str, list[str]]
    ) -> httpx.Response:
        if key not in self.objects:
            return s3_error(404, "NoSuchBucket")
        one = self.objects[key]
        if request.method == "PUT":
            assert "encryption" in query
            if not self.deaf:
                found = re.search(r"<KMSKeyArn>(.*)</KMSKeyArn>", request.content.decode())
                assert found
                one.headers["x-amz-server-side-encryption-aws-kms-key-id"] = found[1]
            return httpx.Response(200)
        length = str(len(one.content))
        shown = {
            "content-length": length,
            "etag": f'"{_etag(one)}"',
            "last-modified": one.modified,
            **one.headers,
        }
        if request.method == "HEAD":
            return httpx.Response(200, headers=shown)
        return httpx.Response(200, headers=shown, content=one.content)


def _etag(one: Stored) -> str:
    return hashlib.md5(one.content).hexdigest()


def s3_of(server: httpx.BaseTransport, url: str = "https://s3.eu-west-1.amazonaws.com") -> S3:
    options = HttpOptions(deadline=Deadline(None), transport=server, retries=0)
    return S3(Alias("aws", url, "access", "secret", path="on"), options)


def rotation(s3: S3, folder: Path, new: str = NEW, old: str = OLD, **how: Any) -> Rotation:  # noqa: ANN401
    goal = Goal(ObjectEncryption("aws:kms", new), versions=True, only_kms=True, old_key=old)
    session = Session(s3, s3, Target("aws", "box"), goal, Wish(folder, jobs=1))
    alias = Alias("aws", s3.http.base_url, "access", "secret")
    admin = MinioAdmin(alias, s3.http.options)
    return Rotation(session, admin, Batch(BatchJobs(admin)), **how)


def test_on_aws_only_the_wrapping_is_changed_by_its_own_call(tmp_path: Path) -> None:
    server = Aws()
    server.kms("a b", b"content", **{"x-amz-meta-a": "b"})
    server.kms("c", b"")
    server.objects["plain"] = Stored(b"x", {})
    done = rotation(s3_of(server), tmp_path).run()
    assert done.engine is Engine.AWS
    assert done.tally.count == {Class.REWRITTEN: 2, Class.OTHER: 1}
    assert done.tally.etags == 0
    assert done.after
    assert (done.after.under_other(NEW, ""), done.after.by_key.total()) == (0, 2)
    assert server.changes == ["PUT /box/a b?encryption=", "PUT /box/c?encryption="]
    sent = next(request for request in server.requests if request.method == "PUT")
    assert sent.content == (
        b'<ObjectEncryption xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><SSE-KMS><KMSKeyArn>'
        + NEW.encode()
        + b"</KMSKeyArn></SSE-KMS></ObjectEncryption>"
    )
    assert sent.headers["content-md5"]


def test_a_call_that_changes_nothing_on_aws_ends_the_rotation(tmp_path: Path) -> None:
    server = Aws(deaf=True)
    server.kms("a", b"content")
    with pytest.raises(McpyError, match="its encryption"):
        rotation(s3_of(server), tmp_path).run()


def test_aws_needs_the_whole_arn(tmp_path: Path) -> None:
    server = Aws()
    server.kms("a", b"content")
    with pytest.raises(InputError, match="the whole ARN"):
        rotation(s3_of(server), tmp_path, new="alias").run()
    assert server.changes == []


def test_nothing_is_done_where_nothing_is_under_the_old_key(tmp_path: Path) -> None:
    server = Aws()
    server.objects["plain"] = Stored(b"x", {})
    done = rotation(s3_of(server), tmp_path).run()
    assert (done.engine, done.left(NEW, OLD), server.changes) == (None, 0, [])


@pytest.mark.parametrize(
    "url",
    [
        "https://s3.example.com",
        "http://s3.eu-west-1.amazonaws.com",
        "https://amazonaws.com.example.net",
        "https://fake-amazonaws.com",
        "http://127.0.0.1:9000",
    ],
)
def test_the_call_of_aws_never_goes_to_another_server(url: str, tmp_path: Path) -> None:
    server = Aws()
    server.kms("a", b"content")
    s3 = s3_of(server, url)
    assert not is_aws(s3)
    with pytest.raises(UnsupportedError, match="is not AWS"):
        update_object_encryption(s3, "box", "a", NEW)
    with pytest.raises(InputError, match="is not AWS"):
        rotation(s3, tmp_path, wanted=Engine.AWS).run()
    assert server.changes == []


def test_the_call_of_aws_names_a_version_and_needs_a_key() -> None:
    server = Aws()
    server.kms("a", b"content")
    s3 = s3_of(server)
    update_object_encryption(s3, "box", "a", NEW, version_id="v 1")
    assert server.changes == ["PUT /box/a?encryption=&versionId=v 1"]
    with pytest.raises(UnsupportedError):
        update_object_encryption(s3, "box", "", NEW)
