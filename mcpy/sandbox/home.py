"""The folder a sandbox lives in: what is where, who may be in it, what it says of itself.

sandbox.json  whose folder this is (see claim.py), written first
certs/      ca.crt, server.key server.crt, root.key root.cert, minio.key minio.cert
keys/       the KES's keystore, one file for each key
data/       buckets and objects
iam.json    users and policies the admin API made
minio.env   the S3 server's environment: its root credentials, later MINIO_KMS_KES_*
kes.yml     the KES's configuration
state.json  process, addresses, start, alias; the lock beside it says whether that is true
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shlex
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mcpy.errors import ConfigError
from mcpy.sandbox import certs
from mcpy.sandbox.certs import write_private
from mcpy.sandbox.hosts import names_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_ERROR = "mcpy: error: "
_KES_YML = """\
version: v1
address: {address}
admin:
  identity: {admin}
tls:
  key: {server_key}
  cert: {server_cert}
policy:
  minio:
    allow:
    - /v1/key/create/*
    - /v1/key/describe/*
    - /v1/key/generate/*
    - /v1/key/decrypt/*
    - /v1/key/hmac/*
    - /v1/key/list/*
    - /v1/status
    - /v1/ready
    - /v1/metrics
    - /v1/api
    - /v1/log/audit
    - /v1/log/error
    identities:
    - {minio}
log:
  error: on
  audit: on
keystore:
  fs:
    path: {keys}
"""


def default_dir() -> Path:
    """Return where a sandbox lives when nobody says otherwise."""
    from platformdirs import user_data_path

    return user_data_path("mcpy", appauthor=False) / "sandbox"


@dataclass(frozen=True)
class State:
    """What a sandbox says of itself.

    Attributes:
        pid: its process; 0 when it was stopped.
        s3_url: address of the S3 and admin API.
        kes_url: address of the KES.
        started: RFC 3339.
        alias: the alias that means it, empty for none.
        like: the server its S3 server is like.
    """

    pid: int
    s3_url: str
    kes_url: str
    started: str
    alias: str = ""
    like: str = "minio"


def running_already(home: Home) -> ConfigError:
    """Return the error of a second sandbox in one folder."""
    return ConfigError(
        f"a sandbox is running in {home.path} already", hint=f"mcpy sandbox status{home.option}"
    )


@dataclass(frozen=True)
class Home:
    """One sandbox's folder."""

    path: Path

    @classmethod
    def at(cls, folder: Path | None) -> Home:
        """Return the home at ``folder``, whatever link leads there; None is the usual one."""
        return cls(Path(os.path.realpath(folder or default_dir())))

    @property
    def option(self) -> str:
        """`` --dir FOLDER`` for a command line, empty for the folder that needs no naming."""
        return "" if self.path == Home.at(None).path else f" --dir {shlex.quote(str(self.path))}"

    @property
    def certs(self) -> Path:
        """Folder of keys and certificates."""
        return self.path / "certs"

    @property
    def keys(self) -> Path:
        """Folder of the KES's keystore."""
        return self.path / "keys"

    @property
    def data(self) -> Path:
        """Folder of buckets and objects."""
        return self.path / "data"

    @property
    def env_file(self) -> Path:
        """The S3 server's environment file."""
        return self.path / "minio.env"

    @property
    def kes_yml(self) -> Path:
        """The KES's configuration file."""
        return self.path / "kes.yml"

    @property
    def log_file(self) -> Path:
        """Where both servers log."""
        return self.path / "sandbox.log"

    @property
    def state_file(self) -> Path:
        """What the sandbox says of itself."""
        return self.path / "state.json"

    def furnish(self, hosts: tuple[str, ...] = ()) -> None:
        """Make what a sandbox needs and does not have: folders, certificates, credentials.

        ``hosts`` are what its servers listen on: their certificate is for those too.

        Raises:
            ConfigError: the folder cannot be written.
        """
        try:
            for folder in (self.path, self.certs, self.keys, self.data):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._issue_certificates(names_of(hosts))
            if not self.env_file.exists():
                write_private(self.env_file, _first_environment().encode())
        except OSError as e:
            raise ConfigError(f"cannot set up the sandbox in {self.path}: {e.strerror}") from e

    def write_kes_config(self, address: str) -> None:
        """Write the KES's configuration unless there is one."""
        if self.kes_yml.exists():
            return
        text = _KES_YML.format(
            address=address,
            admin=certs.identity_of_pem((self.certs / "root.cert").read_bytes()),
            minio=certs.identity_of_pem((self.certs / "minio.cert").read_bytes()),
            server_key=json.dumps(str(self.certs / "server.key")),
            server_cert=json.dumps(str(self.certs / "server.crt")),
            keys=json.dumps(str(self.keys)),
        )
        write_private(self.kes_yml, text.encode())

    def kes_variables(self) -> dict[str, str]:
        """Return what a KES configuration may name for this sandbox: identities, TLS files.

        The first two are what ``kes config new`` names unless it is told otherwise.
        """
        root, minio = (
            certs.identity_of_pem((self.certs / f"{name}.cert").read_bytes())
            for name in ("root", "minio")
        )
        return {
            "KES_ADMIN_IDENTITY": root,
            "MINIO_KES_IDENTITY": minio,
            "SANDBOX_TLS_KEY": str(self.certs / "server.key"),
            "SANDBOX_TLS_CERT": str(self.certs / "server.crt"),
        }

    def environment(self) -> dict[str, str]:
        """Return the variables of the S3 server: those of its file, and which file that is."""
        try:
            found = read_environment(self.env_file)
            return found | {"MINIO_CONFIG_ENV_FILE": str(self.env_file)}
        except OSError as e:
            raise ConfigError(f"cannot read {self.env_file}: {e.strerror}") from e

    def connect_kms(self, variables: Mapping[str, str]) -> None:
        """Put ``variables`` in place of what the environment file says of a KMS."""
        kept = [
            line
            for line in self.env_file.read_text(encoding="utf-8").splitlines()
            if not line.strip().removeprefix("export ").strip().startswith("MINIO_KMS_")
        ]
        lines = [*kept, *(f"{name}={shlex.quote(value)}" for name, value in variables.items())]
        write_private(self.env_file, "".join(f"{line}\n" for line in lines).encode())

    def write_state(self, state: State) -> None:
        """Replace the state file, whole or not at all."""
        write_private(self.state_file, json.dumps(asdict(state), indent=2).encode() + b"\n")

    def read_state(self) -> State | None:
        """Return what the last sandbox here said of itself."""
        try:
            return State(**json.loads(self.state_file.read_bytes()))
        except (OSError, ValueError, TypeError):
            return None

    def exposed(self) -> list[tuple[Path, int]]:
        """Return what others can change or read of it, each with its mode.

        A folder that was there before keeps the mode it had, and so do keys.
        """
        if os.name != "posix":
            return []
        private = [self.env_file, *self.certs.glob("*.key"), *self.keys.glob("*")]
        modes = [(path, path.stat().st_mode & 0o777) for path in (self.path, *private)]
        return [
            (path, mode) for path, mode in modes if mode & (0o022 if path == self.path else 0o077)
        ]

    def deployment_id(self) -> str:
        """Return the UUID the S3 server goes by, the same for every start of this sandbox."""
        identity = certs.identity_of_pem((self.certs / "minio.cert").read_bytes())
        return str(uuid.UUID(hex=identity[:32], version=4))

    def last_words(self) -> str:
        """Return the last error in the log, or its last line."""
        with contextlib.suppress(OSError):
            text = self.log_file.read_text(encoding="utf-8", errors="replace")
            lines = [line for line in text.splitlines() if line.strip()]
            errors = [line for line in lines if line.startswith(_ERROR)]
            return (errors or lines or [""])[-1].removeprefix(_ERROR)
        return ""

    def _issue_certificates(self, names: tuple[str, ...]) -> None:
        vouching, server = self.certs / "ca.crt", self.certs / "server.crt"
        if not vouching.exists() or certs.is_short_of(server.read_bytes(), names):
            # its own key is not kept, so what is to be signed anew needs another authority; it is
            # written last: one that is killed before begins again
            vouching.unlink(missing_ok=True)
            authority = certs.Authority()
            authority.server(names).save(self.certs / "server.key", server)
            vouching.write_bytes(authority.cert_pem)
        for name in ("root", "minio"):
            if not (self.certs / f"{name}.cert").exists():
                pair, _ = certs.client(name)
                pair.save(self.certs / f"{name}.key", self.certs / f"{name}.cert")


def read_environment(path: Path) -> dict[str, str]:
    """Read an environment file: ``NAME=value`` lines, ``export``, quotes and comments allowed."""
    variables = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        text = line.strip().removeprefix("export ").strip()
        name, equals, value = text.partition("=")
        if equals and not name.startswith("#"):
            variables[name.strip()] = _unquoted(value.strip())
    return variables


def _unquoted(value: str) -> str:
    if value[:1] not in {'"', "'"}:
        return value
    try:
        return "".join(shlex.split(value, comments=True))
    except ValueError:
        return value


def _first_environment() -> str:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    user = "play-" + "".join(secrets.choice(alphabet) for _ in range(8))
    return f"MINIO_ROOT_USER={user}\nMINIO_ROOT_PASSWORD={secrets.token_hex(20)}\n"
