"""MinIO's admin, KMS and health endpoints.

Signed as S3 calls are; bodies are JSON. Errors come as JSON from the handlers and as XML from
what stands before them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from mcpy.api.http import Call, HttpClient, json_object, json_value
from mcpy.api.madmin_types import Health, KeyStatus, KmsStatus, NodeResult
from mcpy.api.permissions import permission_named
from mcpy.api.refusals import admin_refusal_of
from mcpy.api.sigv4 import SigV4Auth, encode_query
from mcpy.errors import (
    ApiError,
    McpyError,
    ProtocolError,
    S3Error,
    UnsupportedError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcpy.api.http import Answer, HttpOptions
    from mcpy.models import Alias

ADMIN = "/minio/admin/v3"
KMS = "/minio/kms/v1"
HEALTH = "/minio/health"
ServiceAction = Literal["restart", "stop", "freeze", "unfreeze"]
KEY_EXISTS_WORDS = "key with given key ID already exits"


class MinioAdmin:
    """The admin API of one alias; methods raise S3Error when the server refuses."""

    def __init__(self, alias: Alias, options: HttpOptions) -> None:
        auth = (
            None
            if alias.anonymous
            else SigV4Auth(alias.access_key, alias.secret_key, alias.session_token)
        )
        self.alias, self.access_key = alias.name, alias.access_key
        self._secret = alias.secret_key
        self.http = HttpClient(alias.url, options, refusal=admin_refusal_of(alias), auth=auth)

    def info(self) -> dict[str, Any]:
        """Return the state of the deployment: mode, servers, KMS, buckets, objects, usage.

        Raises:
            ProtocolError: the answer has no ``mode`` or no ``servers``.
        """
        found = self._json("GET", f"{ADMIN}/info", {"metrics": "false"})
        if "mode" not in found or not _is_info(found):
            raise ProtocolError(f"{self.http.where} answered no server information")
        return found

    def bucket_usage(self, bucket: str) -> dict[str, Any]:
        """Return what the server's scanner last counted in a bucket; empty before it did."""
        found = self._json("GET", f"{ADMIN}/datausageinfo", {"capacity": "false"})
        buckets = found.get("bucketsUsageInfo") or {}
        usage = buckets.get(bucket) if isinstance(buckets, dict) else None
        return usage if isinstance(usage, dict) else {}

    def service(self, action: ServiceAction) -> list[NodeResult]:
        """Ask every node to restart, stop, freeze or unfreeze.

        The answer comes before the nodes act. Empty for a single node's freeze and unfreeze.
        """
        return self._service(action, dry_run=False)

    def try_restart(self) -> list[NodeResult]:
        """Return what each node says to a restart that is not done.

        There is none for the other actions: a server freezes in spite of ``dry-run``.
        """
        return self._service("restart", dry_run=True)

    def _service(self, action: ServiceAction, *, dry_run: bool) -> list[NodeResult]:
        query = {"action": action, "dry-run": "true" if dry_run else "false", "type": "2"}
        found = self._json("POST", f"{ADMIN}/service", query)
        return [
            NodeResult(
                str(node.get("host", "")),
                str(node.get("err", "")),
                node.get("waitingDrives") or {},
            )
            for node in found.get("results") or []
            if isinstance(node, dict)
        ]

    def kms_status(self) -> KmsStatus:
        """Return name, default key and endpoints of the KMS; MinIO asks each endpoint."""
        found = self._kms_json("GET", "status")
        endpoints = found.get("endpoints") or {}
        if not isinstance(endpoints, dict):
            raise ProtocolError(f"{self.http.where} answered a KMS status without endpoints")
        return KmsStatus(
            str(found.get("name", "")),
            str(found.get("default-key-id", "")),
            {endpoint: str(status) for endpoint, status in endpoints.items()},
        )

    def key_status(self, key: str = "") -> KeyStatus:
        """Try a key, or the default one: MinIO generates a data key and decrypts it."""
        found = self._kms_json("GET", "key/status", {"key-id": key} if key else {})
        if "key-id" not in found:
            raise ProtocolError(f"{self.http.where} answered a key status without a key")
        return KeyStatus(
            str(found["key-id"]),
            str(found.get("encryption-error", "")),
            str(found.get("decryption-error", "")),
        )

    def create_key(self, key: str) -> None:
        """Make a key through the server; an existing one is a 500 with ``KEY_EXISTS_WORDS``."""
        self._kms("POST", "key/create", {"key-id": key})

    def ask_kms(self, op: str) -> None:
        """Ask the KMS behind the server for ``key/list`` or ``apis``, for its refusal alone."""
        self._kms("GET", op, {"pattern": "*"} if op == "key/list" else {})

    def list_keys(self, prefix: str = "") -> list[str]:
        """Return the names of the keys that start with ``prefix``; a KES stops after 1,024."""
        answer = self._kms("GET", "key/list", {"pattern": prefix or "*"})
        found = json_value(answer, self.http.where)
        found = [] if found is None else found  # how an empty list may be written
        if not _are_objects(found) or not all("name" in item for item in found):
            raise ProtocolError(f"{self.http.where} answered no list of keys")
        return sorted(str(item["name"]) for item in found)

    def read_sealed(self, op: str, query: Mapping[str, str] | None = None) -> bytes:
        """Return what an answer holds that is sealed under the secret key.

        Raises:
            IntegrityError: it does not open.
        """
        from mcpy.api import sealed

        return sealed.unseal(self._call("GET", f"{ADMIN}/{op}", query or {}).body, self._secret)

    def send_sealed(self, method: str, op: str, content: bytes) -> Mapping[str, str]:
        """Send ``content`` sealed under the secret key, and return the answer's headers."""
        from mcpy.api import sealed

        body = sealed.seal(content, self._secret)
        return self._call(method, f"{ADMIN}/{op}", {}, content=body).headers

    def call(
        self, method: str, op: str, query: Mapping[str, str], *, content: bytes = b""
    ) -> Answer:
        """Make one call of the admin API."""
        return self._call(method, f"{ADMIN}/{op}", query, content=content)

    def health(self, kind: str = "cluster") -> bool:
        """Whether ``/minio/health/<kind>`` answers 200; needs no credentials."""
        return self.health_of(kind).healthy

    def health_of(self, kind: str = "cluster", *, without_this_node: bool = False) -> Health:
        """Return what ``/minio/health/<kind>`` says.

        With ``without_this_node`` it is asked whether the node may be taken down.
        """
        query = {"maintenance": "true"} if without_this_node else {}
        try:
            answer = self._call("GET", f"{HEALTH}/{kind}", query)
        except ApiError as e:
            return Health(healthy=False, maintenance=e.status == 412)
        return Health(
            healthy=True,
            write_quorum=_number(answer, "x-minio-write-quorum"),
            healing_drives=_number(answer, "x-minio-healing-drives"),
        )

    def close(self) -> None:
        """Close the connections."""
        self.http.close()

    def _kms_json(
        self, method: str, op: str, query: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        return json_object(self._kms(method, op, query or {}), self.http.where)

    def _kms(self, method: str, op: str, query: Mapping[str, str]) -> Answer:
        try:
            return self._call(method, f"{KMS}/{op}", query)
        except S3Error as e:
            raise self._without_kms(e) from e

    def _without_kms(self, error: S3Error) -> McpyError:
        """Say in full what MinIO's most repeated error means, and what to do."""
        if error.status != 501:
            return error
        return UnsupportedError(
            f"{self.http.where} has no KMS: its MINIO_KMS_* environment is not set, "
            "or was set after it started",
            hint=f"mcpy admin kms env {self.alias} --key KEY, "
            f"then mcpy admin service restart {self.alias}",
        )

    def _json(self, method: str, path: str, query: Mapping[str, str]) -> dict[str, Any]:
        return json_object(self._call(method, path, query), self.http.where)

    def _call(
        self, method: str, path: str, query: Mapping[str, str], *, content: bytes = b""
    ) -> Answer:
        encoded = encode_query(query.items())
        target = f"{path}?{encoded}" if encoded else path
        call = Call(method, target, content=content)
        with permission_named(call):
            return self.http.request(call)


def _number(answer: Answer, header: str) -> int:
    value = answer.headers.get(header, "")
    return int(value) if value.isdecimal() and value.isascii() and len(value) < 10 else 0


def _are_objects(found: object) -> bool:
    return isinstance(found, list) and all(isinstance(item, dict) for item in found)


def _is_info(found: dict[str, Any]) -> bool:
    """Whether every part that is read of a server's information has its form."""
    servers = [] if found.get("servers") is None else found["servers"]
    parts = [found.get(key) or {} for key in ("backend", "buckets", "objects", "services")]
    if not _are_objects(servers) or not all(isinstance(part, dict) for part in parts):
        return False
    parts = [server.get(key) or {} for server in servers for key in ("network", "minio_env_vars")]
    lists = [server.get("drives") or [] for server in servers]
    lists.append((found.get("services") or {}).get("kmsStatus") or [])
    return (
        all(isinstance(part, dict) for part in parts)
        and all(_are_objects(several) for several in lists)
        and all(isinstance(server.get("uptime", 0), int) for server in servers)
    )
