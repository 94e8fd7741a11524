"""A sandbox as a process: in the foreground, in the background, found again and stopped."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from typing import IO, TYPE_CHECKING

from mcpy.errors import ConfigError, ExitCode, InputError, McpyError, UnreachableError
from mcpy.sandbox.claim import Claim
from mcpy.sandbox.home import Home, State, running_already
from mcpy.sandbox.lock import Lock

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from mcpy.sandbox.play import Sandbox

_START_S = 15.0
_STOP_S = 10.0
_LOOK_S = 1.0
_ERRORS = {ExitCode.USAGE: InputError, ExitCode.UNREACHABLE: UnreachableError}
_OUTPUT_VARIABLES = {"MCPY_JSON", "MC_JSON", "MCPY_QUIET", "MC_QUIET"}


def run_foreground(sandbox: Sandbox, on_ready: Callable[[Sandbox], None]) -> None:
    """Run ``sandbox`` until SIGINT or SIGTERM; SIGHUP reloads the KES's configuration.

    To be called from the main thread.

    Raises:
        ConfigError: its folder was removed meanwhile.
    """
    ended = threading.Event()
    handlers = {signal.SIGINT: ended.set, signal.SIGTERM: ended.set}
    if hasattr(signal, "SIGHUP"):
        handlers[signal.SIGHUP] = sandbox.reload_kes
    previous = {
        number: signal.signal(number, lambda *_, act=act: act())
        for number, act in handlers.items()
    }
    try:
        with sandbox:
            on_ready(sandbox)
            _wait(sandbox, ended)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _wait(sandbox: Sandbox, ended: threading.Event) -> None:
    """Wait for the end, or for the loss of the folder: what is served then can only fail.

    Raises:
        ConfigError: the folder is gone.
    """
    while not ended.wait(_LOOK_S):
        if sandbox.has_lost_folder:
            raise ConfigError(f"{sandbox.home.path} is gone, so the sandbox that ran there ended")


def detach(dir: Path | None = None, options: Sequence[str] = ()) -> State:  # noqa: A002 - as above
    """Start a sandbox in a process of its own and wait until it serves.

    ``options`` are further options of ``mcpy sandbox start``.

    Raises:
        McpyError: it ended instead, for this reason; a folder it was given for nothing is gone.
    """
    home = Home.at(dir)
    if status(home.path) is not None:
        raise running_already(home)
    claim = Claim(home.path)
    claim.take()
    with tempfile.TemporaryFile("a+b") as answer:
        child = _launch(home, options, answer)
        try:
            return _await_ready(home, child, answer)
        except McpyError as e:
            # with an error that says nothing, the log is all there is to look at
            if e.hint != _see_log(home) and not Lock(home).is_held():
                claim.undo()
            raise


def _launch(home: Home, options: Sequence[str], answer: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start the process; its result or error comes as JSON in ``answer``."""
    command = [sys.executable, "-m", "mcpy", "--json", "sandbox", "start", "--dir", str(home.path)]
    try:
        descriptor = os.open(home.log_file, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
    except OSError as e:
        raise ConfigError(f"cannot write {home.log_file}: {e.strerror}") from e
    with os.fdopen(descriptor, "ab") as log:
        return subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [*command, *options],
            stdin=subprocess.DEVNULL,
            stdout=answer,
            stderr=log,
            start_new_session=True,
            env={n: v for n, v in os.environ.items() if n not in _OUTPUT_VARIABLES},
        )


def _await_ready(home: Home, child: subprocess.Popen[bytes], answer: IO[bytes]) -> State:
    end = time.monotonic() + _START_S
    while child.poll() is None and time.monotonic() < end:
        # it answers once it serves and its alias is written
        state = status(home.path) if _read(answer) else None
        if state is not None and state.pid == child.pid:
            # running on: it is the init process's child from here
            child.returncode = 0
            return state
        time.sleep(0.02)
    if child.returncode is None:
        child.terminate()
        child.wait()
    raise _error_in(_read(answer), child.returncode) or ConfigError(
        f"the sandbox did not start: {home.last_words()}", hint=_see_log(home)
    )


def _read(answer: IO[bytes]) -> bytes:
    answer.seek(0)
    text = answer.read()
    return text if text.endswith(b"\n") else b""


def _error_in(answer: bytes, exit_code: int) -> McpyError | None:
    """Return the error a process ended with, as its own command line would have raised it."""
    try:
        error = json.loads(answer.splitlines()[-1])["error"]
        message, hint = str(error["message"]), error.get("hint")
    except (ValueError, LookupError, TypeError):
        return None
    kind = next((kind for code, kind in _ERRORS.items() if code == exit_code), ConfigError)
    return kind(message, hint=hint)


def _see_log(home: Home) -> str:
    return f"see {home.log_file}"


def status(dir: Path | None = None) -> State | None:  # noqa: A002 - as above
    """Return the state of the sandbox running in a folder, or None.

    A process that holds the folder's lock is that sandbox, whatever became of old ones' numbers.
    """
    home = Home.at(dir)
    if not Lock(home).is_held():
        return None
    state = home.read_state()
    return state if state is not None and state.pid else None


def stop(dir: Path | None = None) -> bool:  # noqa: A002 - as above
    """Stop the sandbox running in a folder; tell whether there was one.

    Raises:
        UnreachableError: it does not end.
    """
    path = Home.at(dir).path
    state = status(path)
    if state is None:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(state.pid, signal.SIGTERM)
    end = time.monotonic() + _STOP_S
    while Lock(Home(path)).is_held():
        if time.monotonic() > end:
            raise UnreachableError(f"the sandbox (process {state.pid}) does not end")
        time.sleep(0.02)
    return True
