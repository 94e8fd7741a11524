"""The command line in-process: what it is given, what it gives back, and no secret in either."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from mcpy.__main__ import run
from mcpy.config import AliasStore

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from mcpy.sandbox.play import Sandbox

ACCESS_KEY = "minioadmin"
SECRET_KEY = "wJalr-throw-away-secret"
URL = "http://s3.test:9000"
KES_API_KEY = "kes:v1:AAiWzyrY+aRsxij4o1EmePKLRcy+m/DRADtgd12kn1XU"


class Result(NamedTuple):
    """What one run of the command line gave back."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def objects(self) -> list[dict[str, Any]]:
        """The JSON objects on stdout."""
        return [json.loads(line) for line in self.stdout.splitlines()]


class Terminal(io.StringIO):
    """A stream that says a person is there."""

    def isatty(self) -> bool:
        return True


@dataclass
class Mcpy:
    """``mcpy`` in-process; every run proves that the secrets of the tests stay unprinted."""

    folder: Path
    transport: httpx.BaseTransport | None
    env: dict[str, str] = field(default_factory=dict)
    secrets: set[str] = field(default_factory=lambda: {SECRET_KEY, KES_API_KEY})

    def __call__(
        self,
        *args: str,
        env: dict[str, str] | None = None,
        stdin: io.StringIO | str = "",
        stderr: Terminal | None = None,
        reveals: bool = False,
    ) -> Result:
        stdout = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="")
        stderr_ = stderr or io.StringIO()
        code = run(
            ["--config-dir", str(self.folder), *args],
            environ=self.env | (env or {}),
            stdin=io.StringIO(stdin) if isinstance(stdin, str) else stdin,
            stdout=stdout,
            stderr=stderr_,
            transport=self.transport,
        )
        stdout.flush()
        result = Result(code, stdout.buffer.getvalue().decode(), stderr_.getvalue())
        for secret in () if reveals else self.secrets:
            assert secret not in result.stdout
            assert secret not in result.stderr
        return result

    @classmethod
    def on(cls, sandbox: Sandbox, folder: Path) -> Self:
        """Point it at a sandbox as ``play``; ``folder`` is its home."""
        made = cls(folder / "config", None, env={"HOME": str(folder)})
        made.secrets = {sandbox.secret_key}
        made.store.put(sandbox.alias())
        return made

    @property
    def store(self) -> AliasStore:
        """The alias store the runs use."""
        return AliasStore(self.folder, {})
