"""Personalities against what other servers did: the same probe, compared cell by cell.

``DIFFERENT`` lists what is not reproduced, and why; a cell that is listed and the same after all
fails too, so that the list says what is so.
"""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest

from mcpy.sandbox.like import personality
from tests.s3_calls import Server
from tests.sandbox.like_probe import Keys, Probe, same

RECORDINGS = {
    path.stem: json.loads(path.read_text("utf-8"))
    for path in sorted((Path(__file__).parents[1] / "data/like").glob("*.json"))
}
ADMIN = "the admin API is another application of the sandbox: see tests/sandbox/test_admin.py"
COPY_ETAG = "the sandbox gives a copy the MD5 of its content"
DIFFERENT = {
    "minio": {
        "A.path /minio/health/live": ADMIN,
        "A.path /minio/admin/v3/info": ADMIN,
        "A.path /minio/kms/v1/status": ADMIN,
        "A.anon /minio/health/live": ADMIN,
    },
    "garage": {
        "A.list-buckets.owner": "the owner is the access key that was made for the recording",
        "E.plain->AES256 REPLACE no-meta": "the sandbox gives every object a content type",
        "E.SSE-C rotate": "the sandbox seals the object key anew and keeps the bytes and the ETag",
        "F.mp AES256 self-copy ->kms": COPY_ETAG,
        "F.mp plain self-copy ->AES256": COPY_ETAG,
    },
    "s3mock": {
        "C.AES256+kmskey": "an ETag that is no MD5, of an object that is not encrypted",
        "F.mp AES256": "the upload forgets what was asked for, and so does its completion",
        "F.mp plain self-copy ->AES256": COPY_ETAG,
    },
    "seaweedfs-default": {
        "F.mp kms": "200 without an upload, where every part fails: here the start fails",
    },
    "versitygw": {"H.GET object-lock": "an empty element"},
}
# cells that say nothing of the disk: in memory, or within a database for small objects
NO_DISK = {"moto": re.compile("."), "garage": re.compile(r"^[CD]\.(?!.*300K)")}


def shown(server: str, name: str, text: object) -> str:
    """Return a cell for comparison."""
    rubbed = same(name, text if isinstance(text, str) else json.dumps(text))
    if server in NO_DISK and NO_DISK[server].search(name):
        rubbed = re.sub(r" disk=.*", "", rubbed)
    return rubbed


@pytest.fixture(params=sorted(RECORDINGS))
def cells(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, dict[str, str]]:
    """The probe's cells on one personality."""
    random.seed(request.param)
    recorded = RECORDINGS[request.param]
    prefix = re.search(r"pb[0-9a-f]{6}", json.dumps(recorded))
    assert prefix is not None
    like = personality(request.param)
    server = Server(
        tmp_path,
        # the control had one key; as installed, SeaweedFS has none
        kms=None if request.param == "seaweedfs-default" else Keys(second=like.name != "minio"),
        secure=False,
        like=like,
        region=like.region or "us-east-1",
    )
    found = Probe(server, prefix[0], tmp_path).run()
    server.close()
    return request.param, found


def test_a_personality_does_what_its_server_did(cells: tuple[str, dict[str, str]]) -> None:
    server, found = cells
    recorded = RECORDINGS[server]
    wrong = [
        f"{name}:\n  {shown(server, name, text)}\n  {shown(server, name, recorded[name])}"
        for name, text in found.items()
        if name in recorded
        and shown(server, name, text) != shown(server, name, recorded[name])
        and name not in DIFFERENT.get(server, {})
    ]
    assert not wrong, "\n".join(wrong)
    stale = [
        name
        for name in DIFFERENT.get(server, {})
        if shown(server, name, found[name]) == shown(server, name, recorded[name])
    ]
    assert not stale, f"not different any more: {stale}"
    assert len(found.keys() & recorded.keys()) > 165
