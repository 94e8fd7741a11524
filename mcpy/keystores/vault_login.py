"""What KES, and so mcpy, says to sign in to Vault: AppRole, or a token of Kubernetes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mcpy.errors import ConfigError

if TYPE_CHECKING:
    from mcpy.kesconf.stores import VaultLogin


def login_body(login: VaultLogin) -> dict[str, str]:
    """Return the body of a login; the JWT may be in a file, as Kubernetes puts it there.

    Raises:
        ConfigError: that file cannot be read.
    """
    if login.method == "approle":
        return {"role_id": login.name, "secret_id": login.secret}
    jwt = login.secret
    if "/" in jwt:
        try:
            jwt = Path(jwt).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as e:
            raise ConfigError(f"cannot read the JWT of Kubernetes in {login.secret}") from e
    return {"role": login.name, "jwt": jwt}
