"""``MC_CONFIG_ENV_FILE``: a file of ``MC_HOST_<alias>=URL`` lines, as mc reads it."""

from __future__ import annotations

from collections import ChainMap
from pathlib import Path
from typing import TYPE_CHECKING

from mcpy.config import HOST_PREFIXES
from mcpy.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLES = ("MCPY_CONFIG_ENV_FILE", "MC_CONFIG_ENV_FILE")


def with_hosts(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return the environment with the aliases of its file behind its own.

    Raises:
        ConfigError: the file cannot be read, or a line is no assignment; it is not repeated.
    """
    variable = next((name for name in VARIABLES if environ.get(name)), None)
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
