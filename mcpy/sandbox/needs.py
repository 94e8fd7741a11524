"""What the sandbox needs beyond mcpy itself: the packages of the extra ``sandbox``."""

from __future__ import annotations

from importlib.util import find_spec

from mcpy.errors import ConfigError

NEEDED = {"cheroot": "cheroot", "OpenSSL": "pyOpenSSL", "yaml": "PyYAML"}
"""Modules, and the packages that bring them."""


def check_packages() -> None:
    """Prove that the packages are there.

    Raises:
        ConfigError: one is missing.
    """
    missing = [package for name, package in NEEDED.items() if not _is_there(name)]
    if missing:
        raise ConfigError(
            f"the sandbox needs {' and '.join(missing)}, which the extra `sandbox` brings",
            hint=f"pip install {' '.join(missing)}",
        )


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ValueError:  # it is being kept out
        return False
