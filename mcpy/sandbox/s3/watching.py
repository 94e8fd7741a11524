"""Telling those who listen what happens to objects: MinIO's own live stream of notifications.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
"""

from __future__ import annotations

import queue
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from mcpy.sandbox.message import Response
from mcpy.sandbox.s3.errors import S3Problem, go_json, new_request_id
from mcpy.sandbox.s3.times import iso
from mcpy.sandbox.s3.watchers import Event, Watch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcpy.sandbox.s3.call import Call
    from mcpy.sandbox.s3.watchers import Watchers

PING_S = 0.5
_NAME = re.compile(
    r"s3:(Object(Created|Accessed|Removed)|Bucket(Created|Removed)|Replication|ObjectRestore"
    r"|ObjectTransition|Scanner|Lifecycle\w*):(\*|[\w:]+)|s3:(ObjectRemoved|Scanner)\S*"
)


def listen(call: Call) -> Response:
    """Answer events as they happen, one JSON object a line, until the client leaves."""
    if call.bucket:
        call.store.bucket(call.bucket)
    names = [value for name, value in call.request.query if name == "events"]
    for name in names:
        if not _NAME.fullmatch(name):
            problem = S3Problem.of("InvalidArgument")
            problem.message = "A specified event is not supported for notifications."
            raise problem
    ping = call.param("ping")
    if ping and not (ping.isdecimal() and int(ping) > 0):
        raise S3Problem.of("PresignedParameters")
    watch = Watch(call.bucket, names, call.param("prefix"), call.param("suffix"))
    call.watchers.add(watch)
    headers = [("Content-Type", "text/event-stream"), ("Cache-Control", "no-cache")]
    return Response(200, headers, _Stream(call.watchers, watch, int(ping or 0)))


class _Stream:
    """The lines one listener gets; closing it ends the listening."""

    def __init__(self, watchers: Watchers, watch: Watch, ping_s: int) -> None:
        self._watchers = watchers
        self._watch = watch
        self._ping = b'{"Records":null}\n' if ping_s else b" "
        self._wait_s = float(ping_s) if ping_s else PING_S

    def __iter__(self) -> Iterator[bytes]:
        yield b""  # the head goes out at once, and whoever has left is noticed
        while True:
            try:
                event = self._watch.waiting.get(timeout=self._wait_s)
            except queue.Empty:
                yield self._ping
                yield b""
            else:
                yield go_json({"Records": [event.record]}) + b"\n"

    def close(self) -> None:
        """Stop listening."""
        self._watchers.remove(self._watch)


def tell(call: Call, name: str, key: str, response: Response) -> None:
    """Tell the listeners that ``name`` happened to an object of the call's bucket."""
    if name == "s3:ObjectRemoved:Delete" and response.header("x-amz-delete-marker"):
        name = "s3:ObjectRemoved:DeleteMarkerCreated"
    thing: dict[str, Any] = {"key": quote_plus(key, safe="/"), "sequencer": new_request_id()}
    version_id = response.header("x-amz-version-id")
    removed = name.startswith("s3:ObjectRemoved")
    version = None if removed or not key else call.store.find(call.bucket, key, version_id)
    if version is not None:
        shown = {n: v for n, v in version.metadata.items() if not n.startswith("X-Minio-Internal")}
        etag = (response.header("ETag") or version.etag).strip('"')
        thing |= {"size": version.size, "eTag": etag, "userMetadata": shown}
        thing["contentType"] = version.metadata.get("content-type", "")
    if version_id:
        thing["versionId"] = version_id
    call.watchers.tell(Event(name, call.bucket, key, _record(call, name, thing)))


def _record(call: Call, name: str, thing: dict[str, Any]) -> dict[str, Any]:
    who = {"principalId": call.caller.access_key}
    source = call.request.remote
    return {
        "eventVersion": "2.0",
        "eventSource": "minio:s3",
        "awsRegion": "",
        "eventTime": iso(call.now_ns),
        "eventName": name,
        "userIdentity": who,
        "requestParameters": {**who, "region": "", "sourceIPAddress": source},
        "responseElements": {"x-amz-request-id": thing["sequencer"]},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "Config",
            "bucket": {
                "name": call.bucket,
                "ownerIdentity": who,
                "arn": f"arn:aws:s3:::{call.bucket}",
            },
            "object": thing,
        },
        "source": {"host": source, "port": "", "userAgent": call.header("user-agent")},
    }
