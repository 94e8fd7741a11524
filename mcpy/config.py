"""The alias store: ``config.toml`` and the ``MC_HOST_*`` environment.

Rules: the file is 0600 and its folder 0700 from the first byte; it is replaced atomically, under a
lock, so parallel writers lose nothing; tables and keys that mcpy does not know are kept.
"""

from __future__ import annotations

import errno
import os
import re
import tempfile
import time
import tomllib
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from mcpy.errors import ConfigError, InputError, NoAliasError
from mcpy.models import Alias, KesProfile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

FILE_NAME = "config.toml"
LOCK_TIMEOUT_S = 10
HOST_PREFIXES = ("MCPY_HOST_", "MC_HOST_")
_HOST = re.compile(r"(https?)://(?:(.*)@)?([^@/?#]+)/?", re.IGNORECASE)
_HOST_NAME = re.compile(r"(?:[A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?")
_FIELDS = ("url", "access_key", "secret_key", "session_token", "path", "api", "region", "ca")
_KES_FIELDS = ("server", "client_cert", "client_key", "api_key", "ca")


def default_dir() -> Path:
    """Return the platform's config folder for mcpy."""
    from platformdirs import user_config_path

    return user_config_path("mcpy", appauthor=False)


def check_url(url: str) -> str:
    """Return ``url`` without a trailing slash.

    Raises:
        InputError: it is not ``http(s)://HOST[:PORT]``, or holds a path or credentials.
    """
    try:
        parts = urlsplit(url)
        valid = parts.scheme in {"http", "https"} and parts.port != 0
        valid = valid and _is_host(parts.hostname or "")
    except ValueError:
        valid, parts = False, urlsplit("")
    if not valid or parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise InputError("the URL must be http://HOST[:PORT] or https://HOST[:PORT]")
    if "@" in parts.netloc:
        raise InputError("the URL must not hold credentials: they have arguments of their own")
    return f"{parts.scheme}://{parts.netloc}"


def _is_host(name: str) -> bool:
    """Whether a name server or a socket could know ``name``; may raise ValueError for "no"."""
    if not name.isascii():
        import idna  # what httpx turns the name into ASCII with

        name = idna.encode(name).decode()
    return bool(_HOST_NAME.fullmatch(name)) or ":" in name  # an IPv6 address was in brackets


def parse_host(name: str, value: str, *, variable: str) -> Alias:
    """Read the value of ``MC_HOST_<name>`` or ``MCPY_HOST_<name>``.

    ``scheme://[ACCESS:SECRET[:TOKEN]@]host[:port]``, split as mc does: the last ``@`` ends the
    credentials, the first ``:`` the access key, the second the secret. ``MCPY_HOST_*`` values are
    percent-decoded, so that a secret may hold ``:`` as ``%3A``; ``MC_HOST_*`` values are not.

    Raises:
        ConfigError: it is not of that form; the message does not repeat the value.
    """
    if not (match := _HOST.fullmatch(value)):
        raise ConfigError(f"{variable} is not http(s)://ACCESSKEY:SECRETKEY@HOST[:PORT]")
    scheme, credentials, host = match.groups()
    fields = (credentials or "").split(":", 2)
    if credentials and len(fields) < 2:
        raise ConfigError(f"{variable} names an access key without a secret key")
    if variable.startswith("MCPY_"):
        fields = [unquote(part) for part in fields]
    access, secret, token = (*fields, "", "", "")[:3]
    if credentials is not None and not (access and secret):
        raise ConfigError(
            f"{variable} holds an empty access key or secret key: is a variable unset?",
            hint=f"{scheme.lower()}://HOST in {variable} for no credentials",
        )
    return Alias(
        name=name,
        url=_checked(f"{scheme.lower()}://{host}", variable),
        access_key=access,
        secret_key=secret,
        session_token=token,
        source=variable,
    )


def _checked(url: str, source: str) -> str:
    try:
        return check_url(url)
    except InputError as e:
        raise ConfigError(f"{source}: {e}") from e


@dataclass(frozen=True)
class AliasStore:
    """The aliases of an environment and of a folder; ``behind`` reads another program's there."""

    folder: Path
    environ: Mapping[str, str]
    behind: Callable[[Path], Mapping[str, Alias]] = lambda _: {}

    @property
    def path(self) -> Path:
        """The config file."""
        return self.folder / FILE_NAME

    def get(self, name: str) -> Alias:
        """Return one alias; the environment goes before the file.

        Raises:
            NoAliasError: nobody set it.
            ConfigError: the file or the variable cannot be read.
        """
        from_env = self._from_environment(name)
        table = self._aliases(self._read()).get(name)
        if from_env:
            return replace(from_env, kes=_kes_profile(table)) if table else from_env
        if table is not None:
            return _alias(name, table, str(self.path))
        if other := self.behind(self.folder).get(name):
            return other
        raise NoAliasError(name)

    def all(self) -> list[Alias]:
        """Return every alias, by name; an environment's alias hides the file's."""
        found = dict(self.behind(self.folder))
        own = self._aliases(self._read())
        found |= {name: _alias(name, table, str(self.path)) for name, table in own.items()}
        for prefix in reversed(HOST_PREFIXES):
            for variable in self.environ:
                if variable.startswith(prefix) and self.environ[variable]:
                    name = variable.removeprefix(prefix)
                    found[name] = parse_host(name, self.environ[variable], variable=variable)
        return [found[name] for name in sorted(found)]

    def put(self, alias: Alias) -> None:
        """Write one alias; one that is there keeps its KES, and the keys mcpy does not know."""
        with self._writing() as document:
            aliases = document["aliases"] = self._aliases(document)
            table = aliases.setdefault(alias.name, {})
            if table.get("url") != alias.url:
                table.pop("kes", None)  # it belongs to the server that had the name before
            table.update({key: getattr(alias, key) for key in _FIELDS})
            if alias.kes:
                known = table.get("kes")
                kes = table["kes"] = known if isinstance(known, dict) else {}
                kes.update({key: getattr(alias.kes, key) for key in _KES_FIELDS})
                _drop_empty(kes)
            _drop_empty(table)

    def remove(self, name: str) -> Alias:
        """Take one alias out of the file and return it.

        Raises:
            NoAliasError: the file has none of that name.
            ConfigError: another program keeps one of that name, and it would still be there.
        """
        if other := self.behind(self.folder).get(name):
            raise ConfigError(f"`{name}` is in {other.source}, which mcpy does not change")
        with self._writing() as document:
            table = self._aliases(document).get(name)
            if table is None:
                raise NoAliasError(name)
            alias = _alias(name, table, str(self.path))
            del document["aliases"][name]
            return alias

    def _from_environment(self, name: str) -> Alias | None:
        for prefix in HOST_PREFIXES:
            value = self.environ.get(prefix + name)
            if value:
                return parse_host(name, value, variable=prefix + name)
        return None

    def _read(self) -> dict[str, Any]:
        try:
            return tomllib.loads(self.path.read_text("utf-8"))
        except FileNotFoundError:
            return {}
        except OSError as e:
            raise ConfigError(f"cannot read {self.path}: {e.strerror}") from e
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
            reason = str(e) if isinstance(e, tomllib.TOMLDecodeError) else "not UTF-8 text"
            raise ConfigError(
                f"{self.path} is not valid TOML: {reason}", hint=f"mv {self.path} {self.path}.bad"
            ) from e

    def _aliases(self, document: dict[str, Any]) -> dict[str, dict[str, Any]]:
        aliases = document.get("aliases", {})
        if not isinstance(aliases, dict) or not all(isinstance(t, dict) for t in aliases.values()):
            raise ConfigError(f"{self.path}: `aliases` must hold one table for each alias")
        return aliases

    @contextmanager
    def _writing(self) -> Iterator[dict[str, Any]]:
        """Give the document under the lock; write it back unless the block raised."""
        import tomli_w

        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _locked(self.folder / f".{FILE_NAME}.lock"):
                document = self._read()
                yield document
                write_private(self.path, tomli_w.dumps(document).encode())
        except OSError as e:
            raise ConfigError(f"cannot write {self.path}: {e.strerror}") from e


def write_private(path: Path, content: bytes) -> None:
    """Replace ``path`` by ``content`` in one step, readable by its owner only, synced to disk."""
    write_pieces(path, [content])


def write_pieces(path: Path, pieces: Iterable[bytes]) -> None:
    """Replace ``path`` as ``write_private`` does, by what need not be in memory as a whole.

    Raises:
        OSError: it cannot be written, or is a device or a pipe: replaced, it would be one no more.
    """
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is not a regular file")
    path = path.resolve()  # a link stays a link
    # mkstemp makes the file 0600 before its first byte
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        give_up = time.monotonic() + LOCK_TIMEOUT_S
        while not _try_lock(handle):
            if time.monotonic() > give_up:
                raise ConfigError(f"{path} is held by another process for {LOCK_TIMEOUT_S} s")
            time.sleep(0.01)
        yield
    finally:
        os.close(handle)


def _try_lock(handle: int) -> bool:
    try:
        import fcntl
    except ImportError:
        return True  # Windows: the atomic replace alone, where the last writer wins
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _alias(name: str, table: Mapping[str, Any], source: str) -> Alias:
    bad = [key for key in _FIELDS if not isinstance(table.get(key, ""), str)]
    if bad:
        raise ConfigError(f"{source}: aliases.{name}.{bad[0]} must be a string")
    if not table.get("url"):
        raise ConfigError(f"{source}: aliases.{name} has no url")
    fields = {key: table[key] for key in _FIELDS if key in table}
    fields["url"] = _checked(fields["url"], f"{source}: aliases.{name}")
    return Alias(name=name, kes=_kes_profile(table), source=source, **fields)


def _kes_profile(table: Mapping[str, Any]) -> KesProfile | None:
    kes = table.get("kes")
    if not isinstance(kes, dict):
        return None
    return KesProfile(**{key: str(kes[key]) for key in _KES_FIELDS if key in kes})


def _drop_empty(table: dict[str, Any]) -> None:
    for key in [key for key, value in table.items() if value == ""]:
        del table[key]
