"""The address of a sandbox's own KES in the files of its folder: ports change, folders are copied.

A KES that ``minio.env`` trusts by another authority than the sandbox's is somebody else's, and
stays what it is.
"""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING

from mcpy.sandbox.certs import write_private
from mcpy.sandbox.home import read_environment

if TYPE_CHECKING:
    from pathlib import Path

    from mcpy.sandbox.home import Home

_ENDPOINT = "MINIO_KMS_KES_ENDPOINT"
_AUTHORITY = "MINIO_KMS_KES_CAPATH"


def follow_endpoint(home: Home, url: str) -> None:
    """Make ``minio.env`` lead to ``url`` if it leads to this sandbox's KES at all."""
    found = read_environment(home.env_file)
    trusted = found.get(_AUTHORITY, "")
    if not found.get(_ENDPOINT) or not trusted:
        return
    if os.path.realpath(trusted) != os.path.realpath(home.certs / "ca.crt"):
        return
    # whatever it is set to, the last setting is the one that counts
    _replace(
        home.env_file, rf"^(\s*(?:export\s+)?{_ENDPOINT}\s*=).*$", rf"\g<1>{shlex.quote(url)}"
    )


def follow_address(home: Home, address: str) -> None:
    """Make ``kes.yml`` name where the KES listens, for who starts a real one with it."""
    _replace(home.kes_yml, r"^address:.*$", f"address: {address}")


def _replace(file: Path, line: str, by: str) -> None:
    text = file.read_text(encoding="utf-8")
    changed = re.sub(line, by, text, flags=re.MULTILINE)
    if changed != text:
        write_private(file, changed.encode())
