"""A network on which S3 servers keep to bucket policies about encryption, as AWS documents it.

It stands between mcpy and a server that does not: policies are seen as they pass, and uploads that
one denies are answered here. Source of the semantics:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx

from tests.stub import s3_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Obeying(httpx.BaseTransport):
    """Answers denied uploads itself.

    Args:
        inner: the network; a real one when none is given.
        parts_are_uploads: whether parts of multipart uploads, which name no encryption, are judged
            like uploads, as MinIO does with the policies of its users.
        late: how many denials are let pass first: policies may take a moment to hold.
    """

    def __init__(
        self,
        inner: httpx.BaseTransport | None = None,
        *,
        parts_are_uploads: bool = False,
        late: int = 0,
    ) -> None:
        self.inner = inner or httpx.HTTPTransport()
        self.parts_are_uploads = parts_are_uploads
        self.late = late
        self.policies: dict[str, list[dict[str, Any]]] = {}
        self.requests: list[str] = []
        self.before: Callable[[httpx.Request], None] | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        target = request.extensions["target"].decode()
        path, _, query = target.partition("?")
        bucket, _, key = path.removeprefix("/").partition("/")
        self.requests.append(f"{request.method} {target}")
        if self.before:
            self.before(request)
        if query.startswith("policy") and not key:
            self._note(bucket, request)
        elif self._is_upload(request.method, key, query) and self._denied(bucket, request.headers):
            if not self.late:
                return s3_error(403, "AccessDenied", "Access Denied")
            self.late -= 1
        return self.inner.handle_request(request)

    def close(self) -> None:
        self.inner.close()

    def _note(self, bucket: str, request: httpx.Request) -> None:
        if request.method == "PUT":
            self.policies[bucket] = json.loads(request.content)["Statement"]
        elif request.method == "DELETE":
            self.policies.pop(bucket, None)

    def _is_upload(self, method: str, key: str, query: str) -> bool:
        if not key:
            return False
        if "partNumber" in query:
            return self.parts_are_uploads
        return method == "PUT" or (method == "POST" and query.startswith("uploads"))

    def _denied(self, bucket: str, headers: httpx.Headers) -> bool:
        return any(
            statement["Effect"] == "Deny" and _holds(statement["Condition"], headers)
            for statement in self.policies.get(bucket, [])
        )


def _holds(condition: Mapping[str, Mapping[str, Any]], headers: httpx.Headers) -> bool:
    return all(
        _one(operator, headers.get(name.removeprefix("s3:")), values)
        for operator, names in condition.items()
        for name, values in names.items()
    )


def _one(operator: str, value: str | None, values: list[str]) -> bool:
    if operator == "Null":
        return str(value is None).lower() in values
    if operator == "StringEquals":
        return value in values
    assert operator == "StringNotEquals"
    return value not in values  # an absent value is not equal
