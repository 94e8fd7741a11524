"""All that mcpy writes to a terminal or a pipe.

Data goes to stdout; success messages too, unless ``--quiet``. Progress, warnings and errors go to
stderr; with ``--json`` an error goes to stdout, as in mc. Known secrets are masked in every
stream. When the reader of stdout goes away, writing ends quietly and the work goes on.
"""

from __future__ import annotations

import json
import os
import re
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from mcpy.errors import McpyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mcpy.cli.options import Settings

MASK = "*REDACTED*"
_SHORTEST_SECRET = 6
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_RED, _YELLOW, _CYAN, _PLAIN = "\x1b[31;1m", "\x1b[33m", "\x1b[36m", "\x1b[0m"


class Result(Protocol):
    """What a command found or did, in both its forms."""

    def data(self) -> dict[str, Any] | list[Any]:
        """Return the object for ``--json``; a list where ``kes`` prints one."""
        ...

    def text(self) -> str:
        """Return the lines for people, without a final newline."""
        ...


def printable(text: str) -> str:
    """Escape control characters: a name on a server must not steer the reader's terminal."""
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def in_line(text: str) -> str:
    """Escape line breaks and tabs too: a name on a server must not look like another line."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


class Output:
    """The streams of one run of mcpy; ``settings`` is shared with the global options."""

    def __init__(
        self, settings: Settings, stdout: TextIO | None = None, stderr: TextIO | None = None
    ) -> None:
        self.settings = settings
        # a process may be started with its streams closed: Python has None for them then
        self.stdout = stdout or sys.stdout or _nowhere()
        self.stderr = stderr or sys.stderr or _nowhere()
        self.reader_left = False
        self._secrets: list[str] = []

    @property
    def json(self) -> bool:
        """Whether results are JSON."""
        return self.settings.json

    @property
    def tables(self) -> bool:
        """Whether a person reads stdout, so that columns are aligned."""
        return self.stdout.isatty()

    @property
    def color(self) -> bool:
        """Whether stderr may be coloured."""
        return not self.settings.no_color and self.stderr.isatty()

    @property
    def interactive(self) -> bool:
        """Whether a person sees stderr, so that progress is worth showing."""
        return self.stderr.isatty() and not (self.json or self.settings.quiet)

    def hide(self, *secrets: str) -> None:
        """Mask ``secrets`` in everything written from now on."""
        long = [secret for secret in secrets if len(secret) >= _SHORTEST_SECRET]
        written = (json.dumps(secret, ensure_ascii=False)[1:-1] for secret in long)
        # one may stand inside another, whose rest would stay readable
        self._secrets = sorted({*self._secrets, *long, *written}, key=len, reverse=True)

    def reveal(self) -> None:
        """Print secrets after all: the command's purpose, or the user's wish."""
        self._secrets.clear()

    def emit(self, result: Result) -> None:
        """Write data somebody asked for."""
        self._out(_json_line(result.data()) if self.json else printable(result.text()))

    def done(self, result: Result) -> None:
        """Write the news that a change was made and verified."""
        if self.json or not self.settings.quiet:
            self.emit(result)

    def lines(self, text: str) -> None:
        """Write text that is the same in every format, such as a config file."""
        self._out(text)

    def raw(self, chunk: bytes) -> None:
        """Write an object's bytes to stdout as they are."""
        self._guard(lambda: self._binary().write(chunk))

    def note(self, text: str) -> None:
        """Tell a person what is going on; silent in JSON and with ``--quiet``."""
        if not (self.json or self.settings.quiet):
            self._err(f"mcpy: {printable(text)}")

    def warn(self, text: str) -> None:
        """Say what a careful operator should know, whatever the format."""
        self._err(f"mcpy: {self._paint('warning:', _YELLOW)} {printable(text)}")

    def debug(self, text: str) -> None:
        """Write a line of ``--debug``."""
        if self.settings.debug:
            self._err(f"mcpy: debug: {printable(text)}")

    def error(self, error: McpyError, *, kind: str = "fatal") -> None:
        """Report a failure: a line and a hint, or mc's error object on stdout with ``--json``."""
        if self.json:
            document = {"message": error.message, "cause": error.cause(), "type": kind}
            if error.hint:
                document["hint"] = error.hint
            try:
                self._out(_json_line({"status": "error", "error": document}))
                self.flush()
            except McpyError as full:
                self._error_text(full)
            else:
                return
        self._error_text(error)

    def _error_text(self, error: McpyError) -> None:
        message = " ".join(error.message.split())
        self._err(f"mcpy: {self._paint('error:', _RED)} {printable(message)}")
        if error.hint:
            self._err(f"mcpy: {self._paint('hint:', _CYAN)} {in_line(error.hint)}")

    @contextmanager
    def progress(self, label: str, *, total: int | None = None) -> Iterator[Callable[[int], None]]:
        """Give a function to call with each advance, in bytes; a bar on a terminal only."""
        if not self.interactive:
            yield lambda _: None
            return
        from mcpy.cli.progress import bar

        with bar(self.stderr, label, total=total, color=self.color) as advance:
            yield advance

    @contextmanager
    def counting(self, label: str, *, total: int | None = None) -> Iterator[Callable[[int], None]]:
        """Give a function to call with each advance, in objects; a bar on a terminal only."""
        if not self.interactive:
            yield lambda _: None
            return
        from mcpy.cli.progress import counter

        with counter(self.stderr, label, total=total, color=self.color) as advance:
            yield advance

    @contextmanager
    def spinner(self, label: str) -> Iterator[Callable[[str], None]]:
        """Give a function to call with each new state; a spinner on a terminal only."""
        if not self.interactive:
            yield lambda _: None
            return
        from mcpy.cli.progress import spinner

        with spinner(self.stderr, label, color=self.color) as say:
            yield say

    def flush(self) -> None:
        """Write what is buffered; a reader who left is no error."""
        self._guard(self.stdout.flush)

    def _binary(self) -> Any:  # noqa: ANN401 - TextIO.buffer is not in its type
        self.stdout.flush()
        return self.stdout.buffer

    def _out(self, text: str) -> None:
        self._guard(lambda: self.stdout.write(self._masked(text) + "\n"))

    def _err(self, text: str) -> None:
        self.flush()
        with suppress(OSError):  # there is nobody left to tell
            self.stderr.write(self._masked(text) + "\n")
            self.stderr.flush()

    def _guard(self, write: Callable[[], object]) -> None:
        """Write unless the reader left; raise McpyError when the stream takes no more."""
        if self.reader_left:
            return
        try:
            write()
        except OSError as e:
            self.reader_left = True
            # Python flushes stdout again at exit, and would complain then
            with suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), self.stdout.fileno())
            if not isinstance(e, BrokenPipeError):
                raise McpyError(f"cannot write to stdout: {(e.strerror or str(e)).lower()}") from e

    def _masked(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text

    def _paint(self, word: str, code: str) -> str:
        return f"{code}{word}{_PLAIN}" if self.color else word


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")


def _json_line(data: dict[str, Any] | list[Any]) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def table(headers: list[str], rows: list[list[str]], *, aligned: bool) -> str:
    """Return rows as aligned columns for a terminal, or with tabs and no header for a pipe."""
    if not aligned:
        return "\n".join("\t".join(row) for row in rows)
    widths = [max(len(row[i]) for row in [headers, *rows]) for i in range(len(headers))]
    padded = [
        [cell.ljust(w) for cell, w in zip(row, widths, strict=True)] for row in [headers, *rows]
    ]
    return "\n".join("  ".join(row).rstrip() for row in padded)
