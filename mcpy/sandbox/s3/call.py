"""One S3 call on its way through the server: what a handler knows, and how it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mcpy.sandbox.message import Response
from mcpy.sandbox.s3 import auth, policy, xml
from mcpy.sandbox.s3.errors import S3Problem
from mcpy.sandbox.s3.watchers import Watchers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mcpy.sandbox.kms import Kms
    from mcpy.sandbox.message import Request
    from mcpy.sandbox.s3.chunked import Payload
    from mcpy.sandbox.s3.identities import Identities
    from mcpy.sandbox.store import Store

    Handler = Callable[["Call"], Response]

OWNER_ID = "02d6176db174dc93cb1b899f7c6078f08654445fe8cf1b6ce98d8855f66bdbf4"
MAX_XML_BYTES = 2 * 1024 * 1024
Headers = list[tuple[str, str]]


@dataclass(slots=True)
class Call:
    """A request that was routed and whose signature is right.

    Attributes:
        bucket: from the path; empty for the service itself.
        key: the object's name, empty for the bucket itself.
        auto_encrypt: whether buckets without a default encrypt with the KMS's default key.
        now_ns: Unix time.
        identities: who may what; None lets everybody do everything.
        watchers: who wants to hear of what happens.
        headers: what asks for things: the request's headers, or the fields of a form.
        md5_etags: whether the ETag of an encrypted object is its MD5 for everybody to see.
        lists_below_objects: whether listings show ``a/b`` while there is an ``a``.
    """

    request: Request
    caller: auth.Caller
    bucket: str
    key: str
    store: Store
    kms: Kms | None
    auto_encrypt: bool
    now_ns: int
    identities: Identities | None = None
    watchers: Watchers = field(default_factory=Watchers)
    headers: dict[str, str] = field(init=False)
    md5_etags: bool = field(default=False, init=False)
    lists_below_objects: bool = field(default=False, init=False)
    _params: dict[str, str] | None = field(default=None, init=False)
    _text: bytes | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self.headers = dict(self.request.headers)

    def allows(self, action: str, resource: str) -> bool:
        """Tell whether the caller may do ``action`` with ``bucket/key``.

        A caller without a name was let in by the bucket's policy, for what was asked alone.
        """
        name = self.caller.access_key
        if self.identities is None or name in self.identities.root:
            return True
        if name:
            return policy.allows_user(self.identities, name, self.request, action, resource)
        bucket, _, key = resource.partition("/")
        return policy.permits(self.store.bucket(bucket), action, key)

    def demand(self, action: str, resource: str) -> None:
        """Refuse what the caller may not do.

        Raises:
            S3Problem: AccessDenied.
        """
        if not self.allows(action, resource):
            raise S3Problem.of("AccessDenied")

    @property
    def path(self) -> str:
        """The ``bucket/key`` that error messages name."""
        return f"{self.bucket}/{self.key}"

    def header(self, name: str) -> str:
        """Return a header by its lower-case name, empty if it was not sent."""
        return self.headers.get(name, "")

    def param(self, name: str, default: str = "") -> str:
        """Return a query parameter."""
        if self._params is None:
            self._params = {}
            for key, value in self.request.query:
                self._params.setdefault(key, value)
        return self._params.get(name, default)

    def ignore(self, name: str) -> None:
        """Forget a query parameter."""
        self.param(name)
        if self._params:
            self._params.pop(name, None)

    def set_param(self, name: str, value: str) -> None:
        """Take a query parameter as if it had been sent."""
        self.param(name)
        self._params = {**(self._params or {}), name: value}

    def payload(self) -> Payload:
        """Return the decoded body, verified while it is read."""
        return auth.payload(self.request, self.caller)

    def document(self, root: str | None = None) -> xml.Node:
        """Return the body as XML.

        Raises:
            S3Problem: MalformedXML, InternalError (sic) for another root element, or the body
                is not what was signed.
        """
        try:
            return xml.parse(self.text(), root)
        except xml.XmlProblem as e:
            if str(e) == "EOF" or str(e).startswith("expected element"):
                problem = S3Problem.of("InternalError")
                problem.message += f": cause({e})"
                raise problem from e
            raise S3Problem.of("MalformedXML", str(e)) from e

    def text(self) -> bytes:
        """Return a body of at most 2 MiB.

        Raises:
            S3Problem: EntityTooLarge, or the body is not what was signed.
        """
        if self._text is None:
            payload = self.payload()
            if (payload.length or 0) > MAX_XML_BYTES:
                raise S3Problem.of("EntityTooLarge")
            self._text = payload.read()
        return self._text


def answer_xml(
    root: xml.Markup, headers: Iterable[tuple[str, str]] = (), *, declaration: bool = True
) -> Response:
    """Return 200 with an XML body."""
    body = xml.document(root, declaration=declaration)
    return Response(200, [*headers, ("Content-Type", "application/xml")], body)


def owner() -> xml.Markup:
    """Return the ``<Owner>`` every object has."""
    return xml.element("Owner", xml.element("ID", OWNER_ID), xml.element("DisplayName", "minio"))


def no_content(headers: Iterable[tuple[str, str]] = ()) -> Response:
    """Return 204."""
    return Response(204, list(headers))
