"""Keyrotate jobs: looked through before they start, followed without a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
import yaml

from mcpy.api.s3listing import Entry
from mcpy.fleet import keyrotate
from mcpy.models import Alias, ObjectEncryption
from tests.running import URL
from tests.stub import ok, s3_error, xml

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running import Mcpy
    from tests.stub import Server

ID = "keyrotate-PoTDEMyGEMm9mxea6SoAKF:-1"
ADMIN = "/minio/admin/v3"
STARTED = {"id": ID, "type": "keyrotate", "user": "minioadmin", "started": "2026-11-23T12:58:01Z"}
JOB = "keyrotate:\n  apiVersion: v1\n  bucket: docs\n  encryption:\n    type: sse-s3\n"
KEY_WORKS = {"key-id": "minio-default"}


def metric(**fields: object) -> httpx.Response:
    rotation = {"lastBucket": "docs", "lastObject": "a", "objects": 3, "objectsFailed": 0}
    found = {"jobID": ID, "jobType": "keyrotate", "complete": False, "failed": False}
    return httpx.Response(200, json={"LastMetric": found | {"rotation": rotation} | fields})


def no_job() -> httpx.Response:
    body = {"Code": "XMinioAdminNoSuchJob", "Message": "The specified job does not exist"}
    return httpx.Response(404, json=body)


def versions(*entries: str) -> httpx.Response:
    return xml(200, f"<ListVersionsResult>{''.join(entries)}</ListVersionsResult>")


def version(key: str, algorithm: str = "", *, latest: bool = True, tags: str = "") -> str:
    sse = f"<X-Amz-Server-Side-Encryption>{algorithm}</X-Amz-Server-Side-Encryption>"
    return (
        f"<Version><Key>{key}</Key><VersionId>v</VersionId><IsLatest>{str(latest).lower()}"
        f"</IsLatest><UserMetadata>{sse if algorithm else ''}</UserMetadata>"
        f"<UserTags>{tags}</UserTags></Version>"
    )


def marker(key: str, *, latest: bool = True) -> str:
    return (
        f"<DeleteMarker><Key>{key}</Key><VersionId>m</VersionId>"
        f"<IsLatest>{str(latest).lower()}</IsLatest></DeleteMarker>"
    )


def looked_through(*entries: str) -> list[httpx.Response]:
    return [httpx.Response(200, json=KEY_WORKS), ok(), versions(*entries)]


def test_a_job_that_does_what_it_says_is_started(mcpy: Mcpy, server: Server) -> None:
    server.replies = [
        *looked_through(version("a", "AES256")),
        httpx.Response(200, json=STARTED),
    ]
    result = mcpy("batch", "start", "play", "-", stdin=JOB)
    assert result == (0, f"Started keyrotate job `{ID}`.\n", "")
    assert server.calls == [
        "GET /minio/kms/v1/key/status",
        "HEAD /docs",
        "GET /docs?encoding-type=url&metadata=true&prefix=&versions=",
        f"POST {ADMIN}/start-job",
    ]
    assert server.requests[3].content == JOB.encode()


def test_a_job_in_json_has_the_fields_of_mc(mcpy: Mcpy, server: Server) -> None:
    server.replies = [*looked_through(), httpx.Response(200, json=STARTED)]
    result = mcpy("batch", "start", "play", "-", "--json", stdin=JOB)
    assert result.objects == [{"status": "success", "result": STARTED}]


def test_a_job_that_is_waited_for_shows_its_end(mcpy: Mcpy, server: Server) -> None:
    started = httpx.Response(200, json=STARTED)
    jobs = httpx.Response(200, json={"jobs": [STARTED]})
    server.replies = [*looked_through(), started, no_job(), jobs, metric(complete=True)]
    result = mcpy("batch", "start", "play", "-", "--wait", "--json", stdin=JOB)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.objects[1]["metric"]["rotation"]["objects"] == 3
    assert server.calls[4:] == [
        f"GET {ADMIN}/status-job?jobId={ID.replace(':', '%3A')}",
        f"GET {ADMIN}/list-jobs?jobType=",
        f"GET {ADMIN}/status-job?jobId={ID.replace(':', '%3A')}",
    ]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("  flags: {filter: {kmskey: k}}", "the filter `kmskey` is not what it says"),
        ("  flags: {filter: {kmskeyid: k}}", "the filter `kmskeyid` is not what it says"),
        ("  flags: {filter: {createdAfter: 2020-01-01}}", "the server takes it for its opposite"),
        ("  flags: {filter: {createdBefore: 2020-01-01}}", "the server takes it for its opposite"),
        ("  flags: {filter: {newer: 7d}}", "`flags.filter.newer` is a field no server knows"),
        ("  foo: bar", "`foo` is a field no server knows"),
        ("  encryption: {type: sse-kms, context: eA==}", "`encryption.context` is not heeded"),
        ("  encryption: {type: sse-s3, key: k}", "`encryption.key` is not heeded"),
    ],
)
def test_a_part_of_a_job_that_does_not_work_stops_it(
    mcpy: Mcpy, server: Server, lines: str, words: str
) -> None:
    job = f"keyrotate:\n  bucket: docs\n  encryption: {{type: sse-s3}}\n{lines}\n"
    server.replies = [*looked_through()]
    result = mcpy("batch", "start", "play", "-", stdin=job)
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr.splitlines()[0]
    assert result.stderr.splitlines()[1] == (
        "mcpy: error: the job in stdin would not do what it says"
    )


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([marker("a"), version("a", "AES256", latest=False)], "1 deleted object(s) come back"),
        ([version("a", "AES256", tags="k=v")], "1 object(s) lose their tags"),
        ([version("a", "aws:kms")], "the job fails: 1 object(s) in its reach are SSE-KMS"),
    ],
)
def test_what_a_job_would_do_to_objects_stops_it(
    mcpy: Mcpy, server: Server, entries: list[str], words: str
) -> None:
    server.replies = [*looked_through(*entries)]
    result = mcpy("batch", "start", "play", "-", stdin=JOB)
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr.splitlines()[0]


def test_force_starts_a_job_in_spite_of_its_traps(mcpy: Mcpy, server: Server) -> None:
    entries = [marker("a"), version("a", "AES256", latest=False)]
    server.replies = [*looked_through(*entries), httpx.Response(200, json=STARTED)]
    code, stdout, stderr = mcpy("batch", "start", "play", "-", "--force", stdin=JOB)
    assert (code, stdout) == (0, f"Started keyrotate job `{ID}`.\n")
    assert stderr.startswith("mcpy: warning: 1 deleted object(s) come back, such as `a`:")


@pytest.mark.parametrize(
    "entries",
    [
        [marker("a"), version("a", latest=False)],
        [version("a", "AES256"), marker("a", latest=False), version("a", "AES256", latest=False)],
        [marker("a"), version("b", "AES256")],
    ],
    ids=["plain below a marker", "a marker that is not the latest", "another object"],
)
def test_deleted_objects_that_stay_deleted_do_not_stop_a_job(
    mcpy: Mcpy, server: Server, entries: list[str]
) -> None:
    server.replies = [*looked_through(*entries), httpx.Response(200, json=STARTED)]
    assert mcpy("batch", "start", "play", "-", stdin=JOB).exit_code == 0


def test_objects_that_stay_plaintext_are_counted(mcpy: Mcpy, server: Server) -> None:
    server.replies = [
        *looked_through(version("a"), version("b")),
        httpx.Response(200, json=STARTED),
    ]
    result = mcpy("batch", "start", "play", "-", stdin=JOB)
    assert result.exit_code == 0
    assert result.stderr.startswith("mcpy: 2 object(s) are not encrypted, and stay so\n")


def test_a_key_that_is_not_there_stops_a_job(mcpy: Mcpy, server: Server) -> None:
    job = JOB.replace("sse-s3", "sse-kms\n    key: nokey")
    error = {"key-id": "nokey", "encryption-error": "key does not exist"}
    server.replies = [httpx.Response(200, json=error)]
    assert mcpy("batch", "start", "play", "-", stdin=job) == (
        5,
        "",
        "mcpy: error: there is no key `nokey`\nmcpy: hint: mcpy admin kms key create play nokey\n",
    )
    assert server.calls == ["GET /minio/kms/v1/key/status?key-id=nokey"]


def test_a_kms_that_is_away_stops_a_job(mcpy: Mcpy, server: Server) -> None:
    problem = 'kes: connection error: Post "https://kes": dial tcp: connection refused'
    server.replies = [httpx.Response(200, json={"key-id": "k", "encryption-error": problem})]
    assert mcpy("batch", "start", "play", "-", stdin=JOB) == (
        6,
        "",
        f"mcpy: error: key `k` does not work: {problem}\nmcpy: hint: mcpy admin kms status play\n",
    )
    assert server.calls == ["GET /minio/kms/v1/key/status"]


def test_a_bucket_that_is_not_there_stops_a_job(mcpy: Mcpy, server: Server) -> None:
    server.replies = [httpx.Response(200, json=KEY_WORKS), httpx.Response(404)]
    result = mcpy("batch", "start", "play", "-", stdin=JOB)
    assert result == (5, "", "mcpy: error: there is no bucket `play/docs`\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hello", "the file describes no batch job"),
        (
            "keyrotate: {bucket: b, prefix: [a], encryption: {type: sse-s3}}",
            "`keyrotate.prefix` is not a text",
        ),
        ("keyrotate: 1", "`keyrotate` is not a mapping"),
        ("keyrotate: {bucket: b}", "`keyrotate.encryption.type` is ``, not sse-s3 or sse-kms"),
        (
            "keyrotate: {bucket: BUCKET, encryption: {type: sse-s3}}",
            "`keyrotate.bucket` names no bucket",
        ),
    ],
)
def test_a_file_that_is_no_whole_job_is_not_sent(mcpy: Mcpy, text: str, words: str) -> None:
    result = mcpy("batch", "start", "play", "-", stdin=text)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines()[0] == f"mcpy: error: {words}"


def test_a_file_that_is_not_there_is_named(mcpy: Mcpy, tmp_path: Path) -> None:
    result = mcpy("batch", "start", "play", f"{tmp_path}/nope")
    message = f"mcpy: error: cannot read {tmp_path}/nope: No such file or directory\n"
    assert result == (1, "", message)


def test_a_job_that_deletes_objects_is_started_by_force_only(mcpy: Mcpy, server: Server) -> None:
    line, job = ("batch", "start", "play", "-"), "expire: {apiVersion: v1}\n"
    assert mcpy(*line, stdin=job) == (
        2,
        "",
        "mcpy: error: the job in stdin deletes objects\nmcpy: hint: --force, to mean it\n",
    )
    assert server.calls == []
    server.replies = [httpx.Response(200, json=STARTED | {"type": "expire"})]
    assert mcpy(*line, "--force", stdin=job).exit_code == 0


def test_a_job_of_another_type_is_sent_as_it_is(mcpy: Mcpy, server: Server) -> None:
    server.replies = [httpx.Response(200, json=STARTED | {"type": "replicate"})]
    result = mcpy("batch", "start", "play", "-", stdin="replicate: {apiVersion: v1}\n")
    assert (result.exit_code, result.stdout) == (0, f"Started replicate job `{ID}`.\n")
    assert result.stderr == (
        "mcpy: warning: stdin is no keyrotate job: it is sent without being looked through\n"
    )


def test_a_generated_job_has_no_traps(mcpy: Mcpy) -> None:
    args = ("--bucket", "docs", "--prefix", 'a"b', "--type", "sse-kms", "--key", "k")
    code, stdout, stderr = mcpy("batch", "generate", "play", "keyrotate", *args)
    assert (code, stderr) == (0, "")
    assert keyrotate.parse(yaml.safe_load(stdout)) == keyrotate.Job("docs", 'a"b', "sse-kms", "k")


def test_job_types_are_listed(mcpy: Mcpy) -> None:
    assert mcpy("batch", "generate", "play", "list") == (0, "keyrotate\n", "")
    listed = mcpy("batch", "generate", "play", "list", "--json")
    assert listed == (0, '["keyrotate"]\n', "")


def test_jobs_of_other_types_are_not_generated(mcpy: Mcpy) -> None:
    assert mcpy("batch", "generate", "play", "expire") == (
        7,
        "",
        "mcpy: error: mcpy writes keyrotate jobs, not `expire`\n",
    )


def test_jobs_are_listed_with_what_became_of_them(mcpy: Mcpy, server: Server) -> None:
    listed = {"jobs": [STARTED | {"elapsed": 7}, STARTED | {"id": "other"}]}
    server.replies = [httpx.Response(200, json=listed), metric(failed=True), no_job()]
    assert mcpy("batch", "list", "play", "--type", "keyrotate", "--json").objects == [
        {
            "status": "success",
            "jobs": [
                STARTED | {"status": "failed"},
                STARTED | {"id": "other", "status": "unknown"},
            ],
        }
    ]
    assert server.calls[0] == f"GET {ADMIN}/list-jobs?jobType=keyrotate"


def test_no_jobs_are_an_empty_list(mcpy: Mcpy, server: Server) -> None:
    server.replies = [httpx.Response(200, json={"jobs": None})] * 2
    assert mcpy("batch", "list", "play") == (0, "", "")
    assert mcpy("batch", "list", "play", "--json").objects == [{"status": "success", "jobs": []}]


def test_a_state_needs_no_terminal(mcpy: Mcpy, server: Server) -> None:
    server.replies = [metric(startTime="t0", lastUpdate="t1")]
    assert mcpy("batch", "status", "play", ID) == (
        0,
        f"Job:     {ID}\nState:   in-progress\nStarted: t0\nUpdated: t1\nObjects: 3\n"
        "Failed:  0\nLast:    docs/a\n",
        "",
    )


def test_a_failed_job_is_an_error(mcpy: Mcpy, server: Server) -> None:
    server.replies = [metric(failed=True)]
    result = mcpy("batch", "status", "play", ID, "--json")
    assert result.exit_code == 1
    assert [found["status"] for found in result.objects] == ["error", "error"]


def test_a_job_that_missed_objects_is_partly_done(mcpy: Mcpy, server: Server) -> None:
    server.replies = [metric(complete=True, rotation={"objects": 3, "objectsFailed": 2})]
    result = mcpy("batch", "status", "play", ID)
    assert result.exit_code == 8
    assert result.stderr == f"mcpy: error: job `{ID}` could not rotate 2 objects\n"


def test_waiting_ends_with_the_timeout_and_not_the_job(mcpy: Mcpy, server: Server) -> None:
    server.replies = [metric()]
    result = mcpy("batch", "status", "play", ID, "--wait", "--timeout", "900ms")
    assert result.exit_code == 6
    assert result.stderr == f"mcpy: error: job `{ID}` is not over; it goes on by itself\n"


@pytest.mark.parametrize("verb", ["status", "describe", "cancel"])
def test_a_job_nobody_knows_is_not_found(mcpy: Mcpy, server: Server, verb: str) -> None:
    cause = "We encountered an internal error, please try again.: cause(unknown job type)"
    unknown = httpx.Response(500, json={"Code": "InternalError", "Message": cause})
    server.replies = [unknown if verb == "status" else no_job()]
    assert mcpy("batch", verb, "play", "nope", "--retries", "0") == (
        5,
        "",
        "mcpy: error: no job `nope`\nmcpy: hint: mcpy batch list play\n",
    )


def test_a_job_nobody_knows_keeps_the_code_of_the_server_in_json(
    mcpy: Mcpy, server: Server
) -> None:
    server.replies = [no_job()]
    (found,) = mcpy("batch", "describe", "play", "nope", "--json").objects
    assert found["error"]["cause"]["error"]["Code"] == "XMinioAdminNoSuchJob"


def test_a_job_is_described_as_the_server_has_it(mcpy: Mcpy, server: Server) -> None:
    server.replies = [httpx.Response(200, text=JOB + "\n")]
    assert mcpy("batch", "describe", "play", ID, "--json") == (0, JOB, "")


def test_a_job_is_cancelled(mcpy: Mcpy, server: Server) -> None:
    for args in ((ID,), ("--id", ID)):
        server.replies = [httpx.Response(200, text=JOB), httpx.Response(204)]
        result = mcpy("batch", "cancel", "play", *args, "--json")
        assert result.objects == [{"status": "success", "job-id": ID}]
        assert server.calls[-1] == f"DELETE {ADMIN}/cancel-job?id={ID.replace(':', '%3A')}"


def test_cancelling_no_job_is_a_usage_error(mcpy: Mcpy) -> None:
    assert mcpy("batch", "cancel", "play") == (
        2,
        "",
        "mcpy: error: which job?\nmcpy: hint: mcpy batch list play\n",
    )


def test_a_denied_job_is_denied(mcpy: Mcpy, server: Server) -> None:
    denied = httpx.Response(403, json={"Code": "AccessDenied", "Message": "Access Denied."})
    listing = s3_error(403, "AccessDenied", "Access Denied.")
    server.replies = [httpx.Response(200, json=KEY_WORKS), ok(), listing, denied]
    result = mcpy("batch", "start", "play", "-", stdin=JOB)
    assert (result.exit_code, result.stdout) == (4, "")
    assert "could not see what the job reaches" in result.stderr


def test_a_survey_says_when_it_was_left_early() -> None:
    entries = [Entry(str(i), encryption=ObjectEncryption("AES256")) for i in range(3)]
    found = keyrotate.survey(entries, limit=2)
    job = keyrotate.Job("docs", "", "sse-s3", "")
    assert (found.encrypted, found.notes(job)) == (2, ["only the first 2 versions were looked at"])
    assert keyrotate.survey(entries, limit=3).notes(job) == []
    out_of_time = keyrotate.survey(entries, stop=lambda: True)
    assert out_of_time.notes(job) == ["only the first 0 versions were looked at"]


def test_a_user_whose_secret_key_is_its_name_is_still_shown(mcpy: Mcpy, server: Server) -> None:
    mcpy.store.put(Alias("first", URL, "minioadmin", "minioadmin"))
    server.replies = [httpx.Response(200, json={"jobs": [STARTED]}), metric(complete=True)]
    result = mcpy("batch", "list", "first")
    assert result == (0, f"{ID}\tkeyrotate\tminioadmin\t{STARTED['started']}\tcompleted\n", "")
