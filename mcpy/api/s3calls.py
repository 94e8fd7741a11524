"""What every S3 call has in common: the signature, the region's correction, pages of a listing."""

from __future__ import annotations

import base64
import hashlib
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from mcpy.api import s3xml
from mcpy.api.addressing import router
from mcpy.api.http import MAX_BODY_BYTES, Call, HttpClient
from mcpy.api.permissions import name_permission
from mcpy.api.refusals import local_name, s3_refusal, s3_refusal_of
from mcpy.api.s3info import object_path
from mcpy.api.sigv4 import SigV4Auth, encode_query
from mcpy.errors import ProtocolError, S3Error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from xml.etree import ElementTree as ET

    from mcpy.api.http import Answer, HttpOptions, Stream
    from mcpy.api.s3listing import Entry, Page
    from mcpy.api.sigv2 import SigV2Auth
    from mcpy.models import Alias

DEFAULT_REGION = "us-east-1"


class S3Calls:
    """Signed calls to the S3 server of one alias."""

    def __init__(self, alias: Alias, options: HttpOptions) -> None:
        self._auth = _auth(alias)
        self._region_known = False
        self.http = HttpClient(
            alias.url,
            options,
            refusal=s3_refusal_of(alias),
            auth=self._auth,
            route=router(alias),
        )

    @property
    def region(self) -> str:
        """The region requests are signed for."""
        return getattr(self._auth, "region", DEFAULT_REGION)  # Signature V2 names none

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Iterable[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        content: bytes = b"",
        repeatable: bool | None = None,
    ) -> Answer:
        """Send one request that is not a transfer and return its answer.

        ``repeatable``: None lets reads alone be repeated after a lost answer.

        Raises:
            S3Error: the server refused.
        """
        target = request_target(path, query)
        return self.send(Call(method, target, headers or {}, content, repeatable=repeatable))

    def delete(
        self,
        path: str,
        *,
        query: Iterable[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        repeatable: bool | None = None,
    ) -> Answer:
        """Send a DELETE, and look for what it named unless S3's own answer came (204).

        Some servers say 200, and so does whatever stands before a server and did nothing.

        Raises:
            S3Error: the server refused.
            ProtocolError: it said something else, and what should be gone is there.
        """
        query = list(query)
        answer = self.call("DELETE", path, query=query, headers=headers, repeatable=repeatable)
        if answer.status != HTTPStatus.NO_CONTENT and not self._is_gone(path, query):
            raise ProtocolError(
                f"{self.http.where} answered a deletion with HTTP {answer.status}, not 204,"
                " and does not say that it is gone"
            )
        return answer

    def _is_gone(self, path: str, query: list[tuple[str, str]]) -> bool:
        """Whether S3 says that there is no such object, bucket or setting (any more)."""
        # a HEAD of a setting asks for the bucket or object itself
        method = "GET" if any(name != "versionId" for name, _ in query) else "HEAD"
        try:
            self.call(method, path, query=query)
        except S3Error as e:
            return e.status == HTTPStatus.NOT_FOUND
        return False

    def send(self, call: Call) -> Answer:
        """Send ``call``, once more when the server names the region it is in.

        An iterator that was sent is gone: then the next call has the region right.
        """
        with self.stream(call) as stream:
            return stream.read(MAX_BODY_BYTES)

    @contextmanager
    def stream(self, call: Call) -> Iterator[Stream]:
        """Open the answer to ``call``, its body still to be read; otherwise as ``send``."""
        with ExitStack() as opened:
            try:
                found = opened.enter_context(self.http.stream(call))
            except S3Error as e:
                if not self._corrected(e, call):
                    name_permission(e, call)
                    raise
                found = opened.enter_context(self.http.stream(call))
            self._region_known = True
            yield found

    def _corrected(self, error: S3Error, call: Call) -> bool:
        """Sign for the region ``error`` names from now on; whether ``call`` is to be sent anew."""
        auth = self._auth
        if not isinstance(auth, SigV4Auth):
            return False
        region = _named_region(error) or self._asked_region(error, call)
        if not region or region == auth.region:
            return False
        auth.region = region
        return call.resendable

    def _asked_region(self, error: S3Error, call: Call) -> str:
        """Return what a GET is told where a HEAD is refused, which has no body to say it in."""
        mute = call.method == "HEAD" and error.status == 400 and not error.api_code
        if not mute or self._region_known:
            return ""
        self._region_known = True
        bucket = call.target.partition("?")[0].strip("/").partition("/")[0]
        try:
            self.http.request(Call("GET", request_target(f"/{bucket}", [("location", "")])))
        except S3Error as e:
            return _named_region(e)
        return ""

    def document(self, answer: Answer, root: str) -> ET.Element:
        """Return the document of an answer: S3 may answer 200 and then fail in the body.

        Raises:
            S3Error: it is an error after all.
            ProtocolError: it is neither.
        """
        element = s3xml.parse(answer.body, where=self.http.where)
        if local_name(element) == "Error":
            raise s3_refusal(replace(answer, status=500))
        return s3xml.parse(answer.body, root=root, where=self.http.where)

    def page(
        self,
        bucket: str,
        query: Mapping[str, str],
        read: Callable[[bytes, str], Page],
        *,
        repeatable: bool | None = None,
    ) -> Page:
        """Return one page of a listing."""
        answer = self.call("GET", object_path(bucket), query=query.items(), repeatable=repeatable)
        return read(answer.body, self.http.where)

    def pages(
        self, bucket: str, query: Mapping[str, str], read: Callable[[bytes, str], Page]
    ) -> Iterator[Entry]:
        """Yield the entries of a listing, page after page.

        Raises:
            ProtocolError: the server gave one page twice.
        """
        markers: dict[str, str] = {}
        while True:
            page = self.page(bucket, {**query, **markers}, read)
            yield from page.entries
            if not page.markers:
                return
            if page.markers == markers:
                raise ProtocolError(f"{self.http.where} gave the same page of a listing twice")
            markers = page.markers


def _named_region(error: S3Error) -> str:
    """Return the region a server says a signature should have been for, or ``""``."""
    wrong = error.api_code in {
        "AuthorizationHeaderMalformed",
        "AuthorizationQueryParametersError",
    }
    return error.fields.get("Region", "") if wrong else ""


def _auth(alias: Alias) -> SigV4Auth | SigV2Auth | None:
    if alias.anonymous:
        return None
    credentials = (alias.access_key, alias.secret_key, alias.session_token)
    if alias.api.lower() == "s3v2":
        from mcpy.api.sigv2 import SigV2Auth

        return SigV2Auth(*credentials)
    return SigV4Auth(*credentials, region=alias.region or DEFAULT_REGION)


def request_target(path: str, query: Iterable[tuple[str, str]]) -> str:
    """Return path and query as they go over the wire."""
    encoded = encode_query(query)
    return f"{path}?{encoded}" if encoded else path


def content_md5(body: bytes) -> str:
    """Return the ``Content-MD5`` of a document."""
    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
