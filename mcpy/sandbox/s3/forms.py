"""Uploads by HTML form, stored like any other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcpy.sandbox.s3 import entity, objects, tags, xml
from mcpy.sandbox.s3.errors import S3Problem

if TYPE_CHECKING:
    from mcpy.sandbox.message import Response
    from mcpy.sandbox.s3.call import Call
    from mcpy.sandbox.s3.postpolicy import FormUpload


def store_form(call: Call, form: FormUpload) -> Response:
    """Store the file of ``form``; its fields stand for headers.

    Raises:
        S3Problem: something asked for is not possible; nothing is changed.
        NoBucketError: there is no such bucket.
    """
    host = call.header("host")
    call.headers = dict(form.headers)
    if "tagging" in form.fields:
        call.headers["x-amz-tagging"] = _tags(form.fields["tagging"])
    stored = objects.store_body(call, form.payload, call.headers)
    scheme = "https" if call.request.secure else "http"
    etag = next(value for name, value in stored.answer if name == "ETag")
    response = form.answer(call.bucket, etag, f"{scheme}://{host}/{call.bucket}/{call.key}")
    response.headers += [header for header in stored.answer if header[0] != "ETag"]
    response.headers += entity.version_header(stored.version)
    return response


def _tags(text: str) -> str:
    try:
        return tags.to_header(tags.parse_xml(xml.parse(text.encode(), "Tagging")))
    except xml.XmlProblem as e:
        raise S3Problem.of("MalformedPOSTRequest") from e
