"""AWS Secrets Manager as KES uses it: one secret for each key, its name the key's, no prefix.

KES reads the version staged AWSCURRENT. A lock makes a marker the current version and keeps the
key's version alive by a stage of its own. Deletion with a recovery window is no lock: at its end
the key is gone.

Source: https://docs.aws.amazon.com/secretsmanager/latest/apireference/
"""

from __future__ import annotations

import re
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mcpy.errors import ConfigError, McpyError, UnreachableError
from mcpy.keystores.aws_patience import Patience
from mcpy.keystores.base import (
    LOCK_MARK,
    Capabilities,
    KeyExistsError,
    KeyLockedError,
    KeyMissingError,
    KeystoreDeniedError,
    KeystoreError,
    State,
    Step,
)
from mcpy.keystores.web import Web

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcpy.kesconf.stores import AwsStore
    from mcpy.keystores.web import WebOptions

LOCKED_STAGE = "mcpy-locked"
_CURRENT, _PREVIOUS = "AWSCURRENT", "AWSPREVIOUS"
_MARKER = LOCK_MARK.decode() + "unlock-with-mcpy-keystore-unlock"
_DENIED = {
    "AccessDeniedException",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "UnrecognizedClientException",
}


class SecretsManager:
    """The secrets of one account and region; nothing is sent before the first call."""

    provider = "aws"
    capabilities = Capabilities(
        lock="a marker in place of the current version",
        erasure="the secret is deleted at once, without a recovery window: nothing restores it",
        # a name that ends like the random tail of an ARN is ambiguous, and AWS advises against it
        name=re.compile(r"[0-9A-Za-z_-]{1,80}"),
    )

    def __init__(self, store: AwsStore, options: WebOptions) -> None:
        self._store = store
        self._options = options
        self._client: Any = None
        self._opening = threading.Lock()  # a KES is asked by many at once

    @property
    def where(self) -> str:
        """Endpoint and region."""
        return f"{self._store.endpoint} {self._store.region}"

    def list(self) -> Iterator[str]:
        """Yield the names of all secrets, foreign ones too."""
        yield from (str(secret["Name"]) for secret in self._listed())

    def deleted(self) -> Iterator[str]:
        """Yield the names of secrets in their recovery window."""
        for secret in self._listed(IncludePlannedDeletion=True):
            if secret.get("DeletedDate"):
                yield str(secret["Name"])

    def _listed(self, **more: bool) -> Iterator[dict[str, Any]]:
        with self._failures():
            for page in self._opened().get_paginator("list_secrets").paginate(**more):
                yield from page["SecretList"]

    def read(self, name: str) -> bytes:
        """Return the current version, of whichever kind."""
        value = self._current(name)
        if value.startswith(LOCK_MARK):
            raise KeyLockedError(name)
        return value

    def create(self, name: str, value: bytes) -> None:
        """Make a secret, encrypted by the KMS key of the config."""
        extra = {"KmsKeyId": self._store.kms_key} if self._store.kms_key else {}
        with self._failures(name):
            self._opened().create_secret(Name=name, SecretString=value.decode(), **extra)

    def delete(self, name: str) -> None:
        """Delete the secret without a recovery window, as KES does."""
        try:
            self._stages(name)  # AWS answers success for what is not there
        except KeystoreDeniedError:
            self._current(name)  # KES needs no permission to describe, and has none
        with self._failures(name):
            self._opened().delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)

    withdraw = delete

    def state(self, name: str) -> State:
        """Return ``locked`` while the marker is the current version."""
        return "locked" if self._current(name).startswith(LOCK_MARK) else "enabled"

    def lock(self, name: str) -> None:
        """Put a marker in the place of the key's version, and keep that by a stage of its own.

        Between the two steps it is AWSPREVIOUS, which keeps it until the next version comes: a
        lock that was cut off there is finished.
        """
        if self.state(name) == "locked":
            self._keep_locked(name)
            return
        key = self._staged(name, self._stages(name), _CURRENT)
        with self._failures(name):
            self._opened().put_secret_value(SecretId=name, SecretString=_MARKER)
        try:
            self._move(name, LOCKED_STAGE, to=key, off=self._stages(name).get(LOCKED_STAGE))
        except McpyError as e:
            e.message = f"`{name}` is locked, and kept only until a version is added: {e.message}"
            e.args = (e.message,)
            e.hint = e.hint or "add no version; lock it again once that is allowed"
            raise

    def unlock(self, name: str) -> None:
        """Make the key's version the current one again, and drop the stage that kept it."""
        if self.state(name) == "enabled":
            return
        stages = self._stages(name)
        key = self._staged(name, stages, LOCKED_STAGE, _PREVIOUS)
        value = self._content(name, VersionId=key)
        self._move(name, _CURRENT, to=key, off=stages[_CURRENT])
        if self._content(name) != value:
            # an emulator (moto) whose plain read does not follow the stage: write it anew, as
            # the text or the bytes that it was
            with self._failures(name):
                self._opened().put_secret_value(SecretId=name, **value)
        if LOCKED_STAGE in self._stages(name):
            self._move(name, LOCKED_STAGE, off=self._stages(name)[LOCKED_STAGE])

    def _keep_locked(self, name: str) -> None:
        """Give the key's version the stage of its own where a lock did not come to it."""
        stages = self._stages(name)
        if LOCKED_STAGE in stages:
            return
        key = self._staged(name, stages, _PREVIOUS)
        if self._version(name, VersionId=key).startswith(LOCK_MARK):
            raise KeystoreError(f"the former version of `{name}` is a mark too, and no key")
        self._move(name, LOCKED_STAGE, to=key)

    def ping(self) -> None:
        """Ask the endpoint for anything, as KES does."""
        web = Web(_url(self._store.endpoint), self._options)
        try:
            web.probe()
        finally:
            web.close()

    def inspect(self) -> Iterator[Step]:
        """Yield nothing: listing tells as much."""
        yield from ()

    def close(self) -> None:
        """Close the connections."""
        if self._client:
            self._client.close()
            self._client = None

    def _current(self, name: str) -> bytes:
        return self._version(name)

    def _version(self, name: str, **which: str) -> bytes:
        value = next(iter(self._content(name, **which).values()), b"")
        return value.encode() if isinstance(value, str) else value

    def _content(self, name: str, **which: str) -> dict[str, str | bytes]:
        """Return a version's text or bytes, under AWS's name of which it is."""
        with self._failures(name):
            found = self._opened().get_secret_value(SecretId=name, **which)
        kinds = ("SecretString", "SecretBinary")
        return {kind: found[kind] for kind in kinds if found.get(kind) is not None}

    def _stages(self, name: str) -> dict[str, str]:
        """Return the version of each stage."""
        with self._failures(name):
            found = self._opened().describe_secret(SecretId=name)
        versions = found.get("VersionIdsToStages") or {}
        return {stage: version for version, stages in versions.items() for stage in stages}

    def _staged(self, name: str, stages: dict[str, str], *wanted: str) -> str:
        found = next((stages[stage] for stage in wanted if stage in stages), None)
        if found is None:
            raise KeystoreError(f"the secret `{name}` has no version staged {wanted[0]}")
        return found

    def _move(
        self, name: str, stage: str, *, to: str | None = None, off: str | None = None
    ) -> None:
        if to == off:
            return
        which = {"MoveToVersionId": to, "RemoveFromVersionId": off}
        given = {parameter: version for parameter, version in which.items() if version}
        with self._failures(name):
            self._opened().update_secret_version_stage(SecretId=name, VersionStage=stage, **given)

    def _opened(self) -> Any:  # noqa: ANN401 - botocore makes its clients at run time
        with self._opening:
            if self._client is None:
                self._client = _client(self._store, self._options)
            return self._client

    @contextmanager
    def _failures(self, name: str = "") -> Iterator[None]:
        """Raise botocore's failures as ours, AWS's words kept."""
        try:
            from botocore.exceptions import (
                BotoCoreError,
                ClientError,
                HTTPClientError,
                NoCredentialsError,
            )
            from botocore.exceptions import ConnectionError as BotoConnectionError
        except ImportError:
            yield  # the block raises ConfigError
            return
        try:
            yield
        except ClientError as e:
            raise _refusal(e.response.get("Error", {}), name) from e
        except NoCredentialsError as e:
            raise ConfigError("no credentials for AWS: neither in the config nor here") from e
        except (HTTPClientError, BotoConnectionError) as e:
            raise UnreachableError(f"{self._store.endpoint}: {e}") from e
        except BotoCoreError as e:
            raise KeystoreError(f"AWS: {e}") from e


def _client(store: AwsStore, options: WebOptions) -> Any:  # noqa: ANN401 - as above
    """Return botocore's client; without an access key of the config its own chain finds one.

    That is asked at its own endpoints, STS for a role among them, and never at the keystore's.
    """
    try:
        import botocore.session
        from botocore.config import Config
    except ImportError as e:
        raise ConfigError(
            "AWS Secrets Manager needs botocore, which is not installed",
            hint="install mcpy-admin with the extra `aws`",
        ) from e
    session = botocore.session.get_session()
    if store.access_key:
        session.set_credentials(store.access_key, store.secret_key, store.session_token or None)
    client = session.create_client(
        "secretsmanager",
        region_name=store.region,
        endpoint_url=_url(store.endpoint),
        verify=False if options.insecure else str(options.ca) if options.ca else None,
        config=Config(
            connect_timeout=min(10.0, options.timeout_s),
            read_timeout=options.timeout_s,
            retries={"mode": "standard", "total_max_attempts": options.retries + 1},
        ),
    )
    Patience(options).watch(client.meta.events)
    return client


def _url(endpoint: str) -> str:
    return endpoint if "://" in endpoint else f"https://{endpoint}"


def _refusal(error: dict[str, Any], name: str) -> Exception:
    code, message = str(error.get("Code", "")), str(error.get("Message", "")).rstrip(".")
    if code == "ResourceNotFoundException":
        return KeyMissingError(name)
    if code == "ResourceExistsException":
        return KeyExistsError(name)
    if code in _DENIED:
        return KeystoreDeniedError(f"AWS: {code}: {message}")
    # in the words of AWS, or of moto
    if code == "InvalidRequestException" and ("deletion" in message or "deleted" in message):
        return KeystoreError(
            f"`{name}` is scheduled for deletion at AWS, and KES fails on it",
            hint=f"before it is gone: aws secretsmanager restore-secret --secret-id {name}",
        )
    return KeystoreError(f"AWS: {code}: {message}")
