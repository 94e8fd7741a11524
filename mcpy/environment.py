"""The environment of mc and of kes: a file of aliases, where the KES is, and who asks it."""

from __future__ import annotations

from collections import ChainMap
from pathlib import Path
from typing import TYPE_CHECKING

from mcpy.config import HOST_PREFIXES
from mcpy.errors import ConfigError
from mcpy.models import KesProfile

if TYPE_CHECKING:
    from collections.abc import Mapping

REGION_VARIABLES = ("MCPY_REGION", "MC_REGION", "AWS_REGION")
HOST_FILE_VARIABLES = ("MCPY_CONFIG_ENV_FILE", "MC_CONFIG_ENV_FILE")
# the order in which `kes` reads them, then MinIO's own names
KES_VARIABLES: dict[str, tuple[str, ...]] = {
    "server": ("MINIO_KES_SERVER", "KES_SERVER", "MINIO_KMS_KES_ENDPOINT"),
    "api_key": ("MINIO_KES_API_KEY", "KES_API_KEY", "MINIO_KMS_KES_API_KEY"),
    "client_key": (
        "MINIO_KES_KEY_FILE",
        "KES_CLIENT_KEY",
        "MINIO_KES_CLIENT_KEY",
        "MINIO_KMS_KES_KEY_FILE",
    ),
    "client_cert": (
        "MINIO_KES_CERT_FILE",
        "KES_CLIENT_CERT",
        "MINIO_KES_CLIENT_CERT",
        "MINIO_KMS_KES_CERT_FILE",
    ),
    "ca": ("MCPY_KES_CA", "MINIO_KMS_KES_CAPATH"),
}


def first_of(environ: Mapping[str, str], names: tuple[str, ...]) -> str:
    """Return the value of the first variable that is set, or ``""``."""
    return next((environ[name] for name in names if environ.get(name)), "")


def kes_profile(environ: Mapping[str, str]) -> KesProfile:
    """Return where the KES is and who asks, as far as the environment says."""
    return KesProfile(**{part: first_of(environ, names) for part, names in KES_VARIABLES.items()})


def with_hosts(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return the environment with the aliases of mc's file behind its own.

    The file holds ``MC_HOST_<alias>=URL`` lines.

    Raises:
        ConfigError: the file cannot be read, or a line is no assignment; it is not repeated.
    """
    variable = next((name for name in HOST_FILE_VARIABLES if environ.get(name)), None)
    if variable is None:
        return environ
    path = Path(environ[variable])
    try:
        text = path.read_text("utf-8")
    except OSError as e:
        raise ConfigError(f"{variable}: cannot read {path}: {e.strerror}") from e
    except ValueError as e:
        raise ConfigError(f"{variable}: {path} is not UTF-8 text") from e
    return ChainMap(dict(environ), _hosts(text, f"{variable}: {path}"))


def _hosts(text: str, where: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        bare = line.strip().removeprefix("export ").strip()
        if not bare or bare.startswith("#"):
            continue
        name, equals, value = bare.partition("=")
        if not equals:
            raise ConfigError(f"{where}: line {number} is not NAME=VALUE")
        name, value = name.strip(), _unquoted(value.strip())
        if not name.startswith(HOST_PREFIXES) and value.startswith(("http://", "https://")):
            name = f"MC_HOST_{name}"  # mc lets a line begin with the alias
        found |= {name: value} if name.startswith(HOST_PREFIXES) else {}
    return found


def _unquoted(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    return value[1:-1] if quoted else value
