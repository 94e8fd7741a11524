"""A sandbox as a process: in the foreground, in the background, found again and stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

from mcpy.errors import ConfigError, UnreachableError
from mcpy.sandbox.home import Home, Lock, State, default_dir

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from mcpy.sandbox.play import Sandbox

_START_S = 15.0
_STOP_S = 10.0
_OUTPUT_VARIABLES = {"MCPY_JSON", "MC_JSON", "MCPY_QUIET", "MC_QUIET"}


def run_foreground(sandbox: Sandbox, on_ready: Callable[[Sandbox], None]) -> None:
    """Run ``sandbox`` until SIGINT or SIGTERM; SIGHUP reloads the KES's configuration.

    To be called from the main thread.
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
            ended.wait()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def detach(dir: Path | None = None, options: Sequence[str] = ()) -> State:  # noqa: A002 - as above
    """Start a sandbox in a process of its own and wait until it serves.

    ``options`` are further options of ``mcpy sandbox start``.

    Raises:
        ConfigError: it ended instead; the message is the last line of its log.
    """
    home = Home((dir or default_dir()).absolute())
    if status(home.path) is not None:
        raise ConfigError(
            f"a sandbox is running in {home.path} already", hint="mcpy sandbox status"
        )
    home.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    command = [sys.executable, "-m", "mcpy", "sandbox", "start", "--dir", str(home.path)]
    descriptor = os.open(home.log_file, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "ab") as log:
        child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [*command, *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={n: v for n, v in os.environ.items() if n not in _OUTPUT_VARIABLES},
        )
    return _await_ready(home, child)


def _await_ready(home: Home, child: subprocess.Popen[bytes]) -> State:
    end = time.monotonic() + _START_S
    while time.monotonic() < end:
        state = status(home.path)
        if state is not None and state.pid == child.pid:
            # running on: it is the init process's child from here
            child.returncode = 0
            return state
        if child.poll() is not None:
            break
        time.sleep(0.02)
    else:
        child.terminate()
        child.wait()
    raise ConfigError(
        f"the sandbox did not start: {home.last_words()}", hint=f"see {home.log_file}"
    )


def status(dir: Path | None = None) -> State | None:  # noqa: A002 - as above
    """Return the state of the sandbox running in a folder, or None.

    A process that holds the folder's lock is that sandbox, whatever became of old ones' numbers.
    """
    home = Home((dir or default_dir()).absolute())
    if not Lock(home).is_held():
        return None
    state = home.read_state()
    return state if state is not None and state.pid else None


def stop(dir: Path | None = None) -> bool:  # noqa: A002 - as above
    """Stop the sandbox running in a folder; tell whether there was one.

    Raises:
        UnreachableError: it does not end.
    """
    path = (dir or default_dir()).absolute()
    state = status(path)
    if state is None:
        return False
    os.kill(state.pid, signal.SIGTERM)
    end = time.monotonic() + _STOP_S
    while Lock(Home(path)).is_held():
        if time.monotonic() > end:
            raise UnreachableError(f"the sandbox (process {state.pid}) does not end")
        time.sleep(0.02)
    return True
