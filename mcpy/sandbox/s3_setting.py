"""What an S3 server starts with: its manner, its variables, its credentials, its KMS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcpy.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcpy.sandbox.faults import Faults
    from mcpy.sandbox.home import Home
    from mcpy.sandbox.kms import Kms
    from mcpy.sandbox.kms.link import Inside
    from mcpy.sandbox.like.base import Like


@dataclass(frozen=True)
class Manner:
    """How a server behaves.

    Attributes:
        like: the server to be like.
        own_kms: variables of the sandbox's own KES, for a server that brings its KMS along.
        faults: what goes wrong.
        inside: the sandbox's own KES, to be asked without the wire.
    """

    like: Like
    own_kms: Mapping[str, str]
    faults: Faults
    inside: Inside | None = None

    @classmethod
    def plain(cls) -> Manner:
        """Return MinIO's, without faults."""
        from mcpy.sandbox.faults import Faults
        from mcpy.sandbox.like.base import Like

        return cls(Like(), {}, Faults())


def environment(home: Home, manner: Manner) -> Mapping[str, str]:
    """Return the server's variables; only MinIO has its KMS and region from them."""
    env, like = home.environment(), manner.like
    if like.has_admin_api:
        return env
    env = {n: v for n, v in env.items() if not n.startswith(("MINIO_KMS_", "MINIO_REGION"))}
    if like.kms_key:
        env |= {**manner.own_kms, "MINIO_KMS_KES_KEY_NAME": like.kms_key}
    return env


def root_credentials(env: Mapping[str, str]) -> dict[str, str]:
    """Return the root user's secret key by its access key.

    Raises:
        ConfigError: they are missing or too short.
    """
    user, password = env.get("MINIO_ROOT_USER", ""), env.get("MINIO_ROOT_PASSWORD", "")
    if len(user) < 3 or len(password) < 8:
        raise ConfigError(
            "MINIO_ROOT_USER needs 3 characters at least, MINIO_ROOT_PASSWORD 8",
            hint="see minio.env in the sandbox's folder",
        )
    return {user: password}


def reach_kms(env: Mapping[str, str], *, needed: bool, inside: Inside | None = None) -> Kms | None:
    """Return the KMS the environment names, proven to work if ``needed``; None when it names none.

    Asks for a data key of the default key as a real server does when it starts, and makes the
    key when there is none.
    """
    if not any(name.startswith("MINIO_KMS_") for name in env):
        return None
    from mcpy.sandbox.kms import KesKms, KmsProblem, StaticKms

    kms: Kms | None = KesKms.from_env(env, inside=inside) or StaticKms.from_env(env)
    if kms is None:
        return None
    try:
        kms.generate(kms.default_key, {})
    except KmsProblem as e:
        if (e.status, e.message) == (404, "key does not exist"):
            _create_default_key(kms)
        elif needed and e.status != 403:
            raise ConfigError(f"unable to connect to the KMS: {e.message}") from e
    return kms


def _create_default_key(kms: Kms) -> None:
    from mcpy.sandbox.kms import KmsProblem

    try:
        kms.create(kms.default_key)
    except KmsProblem as e:
        if e.status != 403 and e.message != "key already exists":
            raise ConfigError(f"unable to create the default key: {e.message}") from e
