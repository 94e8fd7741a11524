"""Which handler answers which request.

Routes are tried in order, as on the real server: a sub-resource it does not know is ignored, so
that ``PUT /bucket/object?encryption`` stores an object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mcpy.sandbox.s3 import (
    attributes,
    buckets,
    copying,
    deletes,
    documents,
    lifecycle,
    listing,
    multipart,
    objects,
    postpolicy,
    reading,
    select,
    settings,
    snowball,
    uploads,
    watching,
    zipped,
)
from mcpy.sandbox.s3.errors import S3Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcpy.sandbox.message import Request
    from mcpy.sandbox.s3.call import Handler


class Route(NamedTuple):
    """A handler and the query parameters a request needs for it, each with a value or any."""

    handler: Handler
    needs: tuple[tuple[str, str], ...] = ()
    header: str = ""

    def fits(self, request: Request, params: Mapping[str, str]) -> bool:
        """Tell whether ``request`` goes here."""
        if self.header and self.header not in request.headers:
            return False
        return all(name in params and value in {"", params[name]} for name, value in self.needs)


def _routes(*lines: tuple[str, Handler] | tuple[str, Handler, str]) -> list[Route]:
    routes = []
    for needs, handler, *header in lines:
        pairs = (need.partition("=")[::2] for need in needs.split("&") if need)
        routes.append(Route(handler, tuple(pairs), *header))
    return routes


_REJECTED = tuple(
    (name, documents.reject)
    for name in (
        "inventory",
        "metrics",
        "publicAccessBlock",
        "ownershipControls",
        "intelligent-tiering",
        "analytics",
    )
)

HEADERS = (copying.COPY_SOURCE, snowball.EXTRACT, zipped.EXTRACT)
"""The headers by which a route is chosen."""

BUCKET: dict[str, list[Route]] = {
    "GET": _routes(
        ("location", buckets.get_location),
        ("policy", documents.get_policy),
        ("lifecycle", documents.show("lifecycle", "NoSuchLifecycleConfiguration")),
        ("encryption", settings.get_encryption),
        ("object-lock", settings.get_object_lock),
        ("replication", documents.show("replication", "ReplicationConfigurationNotFoundError")),
        ("versioning", settings.get_versioning),
        ("notification", documents.get_notification),
        ("acl", documents.get_acl),
        ("cors", documents.fails("NoSuchCORSConfiguration")),
        ("website", documents.fails("NoSuchWebsiteConfiguration")),
        ("accelerate", documents.get_accelerate),
        ("requestPayment", documents.get_request_payment),
        ("logging", documents.get_logging),
        ("tagging", settings.get_tagging),
        ("events", watching.listen),
        ("uploads", uploads.list_uploads),
        ("list-type=2", listing.list_objects_v2),
        ("versions", listing.list_versions),
        ("policyStatus", documents.get_policy_status),
        *_REJECTED,
        ("", listing.list_objects_v1),
    ),
    "PUT": _routes(
        ("acl", documents.put_acl),
        ("cors", documents.fails("NotImplemented")),
        ("lifecycle", lifecycle.put_lifecycle),
        ("replication", documents.keep("replication")),
        ("encryption", settings.put_encryption),
        ("policy", documents.put_policy),
        ("object-lock", settings.put_object_lock),
        ("tagging", settings.put_tagging),
        ("versioning", settings.put_versioning),
        ("notification", documents.keep("notification")),
        ("", buckets.create_bucket),
    ),
    "HEAD": _routes(("", buckets.head_bucket)),
    "POST": _routes(("delete", deletes.delete_objects)),
    "DELETE": _routes(
        ("cors", documents.fails("NotImplemented")),
        ("website", documents.delete_website),
        ("tagging", settings.delete_tagging),
        ("policy", documents.delete_policy),
        ("replication", documents.delete_replication),
        ("lifecycle", documents.drop("lifecycle")),
        ("encryption", settings.delete_encryption),
        # whatever else is named, the bucket is deleted: so does the real server
        ("", buckets.delete_bucket),
    ),
}
OBJECT: dict[str, list[Route]] = {
    "GET": _routes(
        ("torrent", documents.reject),
        ("attributes", attributes.get_attributes),
        ("uploadId", uploads.list_parts),
        ("acl", documents.get_acl),
        ("tagging", attributes.get_tagging),
        ("retention", attributes.get_retention),
        ("legal-hold", attributes.get_legal_hold),
        ("", zipped.get_file, zipped.EXTRACT),
        ("", reading.get_object),
    ),
    "HEAD": _routes(("", zipped.head_file, zipped.EXTRACT), ("", reading.head_object)),
    "PUT": _routes(
        ("torrent", documents.reject),
        ("partNumber&uploadId", multipart.copy_part, copying.COPY_SOURCE),
        ("partNumber&uploadId", multipart.put_part),
        ("acl", documents.put_acl),
        ("tagging", attributes.put_tagging),
        ("", copying.copy_object, copying.COPY_SOURCE),
        ("retention", attributes.put_retention),
        ("legal-hold", attributes.put_legal_hold),
        ("", snowball.put_archive, snowball.EXTRACT),
        ("", objects.put_object),
    ),
    "POST": _routes(
        ("uploadId", multipart.complete_upload),
        ("uploads", multipart.create_upload),
        ("select&select-type=2", select.select_object),
        ("restore", documents.missing_feature),
    ),
    "DELETE": _routes(
        ("torrent", documents.reject),
        ("acl", documents.reject),
        ("uploadId", multipart.abort_upload),
        ("tagging", attributes.delete_tagging),
        ("", deletes.delete_object),
    ),
}
SERVICE: dict[str, list[Route]] = {
    "GET": _routes(("events", watching.listen), ("", buckets.list_buckets))
}
EVENTS: dict[Handler, str] = {
    objects.put_object: "s3:ObjectCreated:Put",
    copying.copy_object: "s3:ObjectCreated:Copy",
    multipart.complete_upload: "s3:ObjectCreated:CompleteMultipartUpload",
    attributes.put_tagging: "s3:ObjectCreated:PutTagging",
    attributes.delete_tagging: "s3:ObjectCreated:DeleteTagging",
    attributes.put_retention: "s3:ObjectCreated:PutRetention",
    attributes.put_legal_hold: "s3:ObjectCreated:PutLegalHold",
    reading.get_object: "s3:ObjectAccessed:Get",
    reading.head_object: "s3:ObjectAccessed:Head",
    deletes.delete_object: "s3:ObjectRemoved:Delete",
    buckets.create_bucket: "s3:BucketCreated:*",
    buckets.delete_bucket: "s3:BucketRemoved:*",
}
"""What listeners are told when a handler has succeeded."""


STORED = frozenset({reading.get_object, zipped.get_file})
"""Who answers with content as it was stored."""


def find_handler(request: Request, bucket: str, key: str) -> Handler:
    """Return who answers ``request``.

    Raises:
        S3Problem: nobody does.
    """
    table = OBJECT if key else BUCKET if bucket else SERVICE
    plain = not request.query and not any(name in request.headers for name in HEADERS)
    if plain and request.method in table:
        last = table[request.method][-1]
        if not last.needs:
            return last.handler
    params: dict[str, str] = {}
    for name, value in request.query:
        params.setdefault(name, value)
    for route in table.get(request.method, ()):
        if route.fits(request, params):
            return route.handler
    if postpolicy.is_form(request):
        raise S3Problem.of("MethodNotAllowed")
    raise S3Problem.of("UnsupportedCall", method=request.method, path=request.path)
