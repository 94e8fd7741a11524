"""The keystore of a KES configuration, opened with the global options."""

from __future__ import annotations

import shlex
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mcpy.errors import McpyError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcpy.cli.app import App
    from mcpy.kesconf.stores import KeystoreFile
    from mcpy.keystores.base import KeyStore


def open_keystore(app: App, path: Path, *, whole: bool = False) -> tuple[KeyStore, KeystoreFile]:
    """Return the keystore the file names, and what else the file says of it; no call is made.

    A call with its repeats lasts for ``--timeout`` at most; with ``whole`` all calls together do,
    where that was given.

    Raises:
        ConfigError, UnsupportedError: as ``load_keystore``.
    """
    from mcpy.kesconf.reading import load_keystore
    from mcpy.kesconf.stores import FsStore
    from mcpy.keystores import open_store
    from mcpy.keystores.web import WebOptions

    file = load_keystore(path, app.environ)
    _hide(app, file)
    settings = app.settings
    options = WebOptions(
        timeout_s=settings.timeout_s or 30,
        over_at=time.monotonic() + settings.timeout_s if whole and settings.timeout_s else None,
        retries=settings.retries,
        insecure=settings.insecure,
        ca=settings.ca,
        trace=app.out.debug if settings.debug else None,
        transport=app.http_options().transport,
    )
    if isinstance(file.store, FsStore) and not Path(file.store.path).is_absolute():
        where = Path(file.store.path).absolute()
        app.out.warn(f"{path}: the folder of the keys is relative; from here it is {where}")
    store = open_store(file.store, app.environ, options)
    app.at_end(store.close)
    return store, file


@contextmanager
def hints_name(path: Path) -> Iterator[None]:
    """Put the config file into hints, which a keystore does not know: it says ``FILE``."""
    try:
        yield
    except McpyError as e:
        if e.hint:
            e.hint = e.hint.replace("--config FILE", shlex.join(["--config", str(path)]))
        raise


def _hide(app: App, file: KeystoreFile) -> None:
    """Mask every field of the keystore that its ``repr`` leaves out."""
    from dataclasses import fields, is_dataclass

    values = [file.store, getattr(file.store, "login", None)]
    for value in values:
        if value is not None and is_dataclass(value):
            app.out.hide(*(str(getattr(value, f.name)) for f in fields(value) if not f.repr))
