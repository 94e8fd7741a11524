"""Calls recorded on a MinIO server, sent again in their order: the sandbox answers the same.

Compared are status, headers and body; ids, times, ETags of encrypted objects and the order of
metadata are not the same twice on the real server either.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from mcpy.sandbox.kms import StaticKms
from tests.s3_calls import Answer, ManyKeys, Server

RECORDED = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data/s3/recorded.jsonl").read_text().splitlines()
]
SERVERS = {"9101": "plain HTTP", "9102": "no KMS", "9104": "TLS"}
# something between two records that was not recorded itself
BEFORE = {"mp-plain-create": ("DELETE", "/cpb", "encryption=")}
SIZED = re.compile(r"<(\d+) bytes>")
IDS = ("UploadId", "VersionId", "NextVersionIdMarker", "NextContinuationToken")
TIMES = ("LastModified", "CreationDate", "RequestId", "HostId")
ID_HEADERS = ("x-amz-version-id", "x-amz-copy-source-version-id", "etag")


class Replay:
    """One server's records in order, with ids and ETags of the recording put into its own."""

    def __init__(self, folder: Path, server: str) -> None:
        kms = ManyKeys()
        kms.default_key = "my-minio-sse-s3-key"
        kms.known["my-minio-sse-s3-key"] = StaticKms("my-minio-sse-s3-key", b"m" * 32)
        self.kms = kms
        self.server = Server(
            folder, kms=None if server == "9102" else kms, secure=server == "9104"
        )
        self.known: dict[str, str] = {}

    def send(self, record: dict[str, Any]) -> Answer:
        """Send a recorded request and learn what its ids are called here."""
        if record["name"] in BEFORE:
            self.server(*BEFORE[record["name"]])
        self.kms.down = record["name"].startswith("kesdown")
        query = "&".join(
            f"{quote(name, safe='~')}={quote(self._own(value), safe='~')}"
            for name, value in record["query"].items()
        )
        headers = {name: self._own(value) for name, value in record["headers"].items()}
        sized = SIZED.fullmatch(record["body"])
        body = bytes(int(sized[1])) if sized else self._own(record["body"]).encode()
        answer = self.server(record["method"], record["path"], query, headers, body)
        self._learn(record, answer)
        return answer

    def _own(self, text: str) -> str:
        for theirs, own in self.known.items():
            text = text.replace(theirs, own)
        return text

    def _learn(self, record: dict[str, Any], answer: Answer) -> None:
        pairs = [
            (record["answer_headers"].get(name, ""), answer.headers.get(name, ""))
            for name in ID_HEADERS
        ]
        for name in ("UploadId", "ETag"):
            theirs = re.findall(rf"<{name}>([^<]*)<", record["answer"])
            pairs += zip(theirs, answer.all(name), strict=False)
        for theirs, own in pairs:
            plain = [text.strip('"').replace("&#34;", "") for text in (theirs, own)]
            if len(plain[0]) > 30 and plain[1]:
                self.known[plain[0]] = plain[1]


def same(text: str) -> str:
    """Return a body without what differs between two runs."""
    for name in (*IDS, *TIMES):
        text = re.sub(f"<{name}>[^<]*</", f"<{name}></", text)
    text = re.sub(r"(<ETag>(?:&#34;)?)[0-9a-f]{32}", r"\1", text)
    text = re.sub(r"https?://[0-9.:]+|http://s3.test|https://s3.test", "HOST", text)
    return re.sub(r"<UserMetadata>.*?</UserMetadata>", _sorted, text)


def _sorted(found: re.Match[str]) -> str:
    return "".join(sorted(found[0].replace("><", ">\n<").splitlines()))


def shown(headers: dict[str, str], wanted: dict[str, str]) -> dict[str, str]:
    """Return the headers that were recorded, with ids and ETags reduced to their form."""
    found = {name: headers.get(name, "") for name in wanted}
    for name in ID_HEADERS:
        if name in found:
            found[name] = re.sub("[0-9a-f]", "x", found[name])
    return found


@pytest.mark.parametrize("server", SERVERS)
def test_the_sandbox_answers_what_was_recorded(server: str, tmp_path: Path) -> None:
    replay = Replay(tmp_path / "data", server)
    wrong: list[str] = []
    for record in (item for item in RECORDED if item["server"] == server):
        answer = replay.send(record)
        wanted = {k: v for k, v in record["answer_headers"].items() if k != "x-amz-bucket-region"}
        if SIZED.fullmatch(record["body"]) or record["name"].startswith("copy-self-mp"):
            wanted = {k: v for k, v in wanted.items() if "checksum" not in k}
        seen = (answer.status, shown(answer.headers, wanted), same(answer.text))
        expected = (record["status"], shown(wanted, wanted), same(record["answer"]))
        if record["method"] == "HEAD":
            seen, expected = (*seen[:2], ""), (*expected[:2], "")
        if seen != expected:
            wrong.append(f"{record['name']}: {seen} is not {expected}")
    replay.server.close()
    assert not wrong, "\n".join(wrong)
