"""``mcpy``: the root of the command tree, and the only place an error becomes an exit code."""

from __future__ import annotations

import io
import os
import signal
import sys
from typing import TYPE_CHECKING, TextIO

import click

from mcpy.cli.app import App
from mcpy.cli.base import Group, version_option
from mcpy.cli.options import Settings, from_environment
from mcpy.cli.output import Output
from mcpy.errors import ExitCode, InputError, Interrupted, McpyError, Terminated, exit_code

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import FrameType

    import httpx

GROUPS: dict[str, tuple[str, str, str]] = {
    "alias": ("mcpy.commands.alias", "alias", "Name servers and keep their credentials."),
    "encrypt": (
        "mcpy.commands.encrypt",
        "encrypt",
        "Set the default encryption of buckets; see what is encrypted and how, and encrypt it.",
    ),
    "admin": ("mcpy.commands.admin", "admin", "Administer a MinIO server and its KMS."),
    "kes": ("mcpy.commands.kes", "kes", "Administer a KES server: keys, identities, status."),
    "batch": (
        "mcpy.commands.batch",
        "batch",
        "Have the servers rotate the keys of many objects by themselves.",
    ),
    "keystore": (
        "mcpy.commands.keystore",
        "keystore",
        "Check, lock, erase and copy keys at the KMS behind KES.",
    ),
    "mb": ("mcpy.commands.objects.buckets", "mb", "Make buckets."),
    "rb": ("mcpy.commands.objects.buckets", "rb", "Remove buckets."),
    "ls": ("mcpy.commands.objects.ls", "ls", "List buckets and objects."),
    "stat": (
        "mcpy.commands.objects.stat",
        "stat",
        "Show metadata and encryption.",
    ),
    "cp": ("mcpy.commands.objects.cp", "cp", "Copy files and objects, in every direction."),
    "cat": ("mcpy.commands.objects.cat", "cat", "Write objects to stdout, in the order given."),
    "rm": ("mcpy.commands.objects.rm", "rm", "Remove objects."),
    "doctor": (
        "mcpy.commands.doctor",
        "doctor",
        "Find the broken link between an alias and its keys, and what to do about it.",
    ),
    "ready": ("mcpy.commands.ready", "ready", "Wait until servers are healthy and S3 answers."),
    "sandbox": ("mcpy.commands.sandbox", "sandbox", "Run the embedded KES and S3 server."),
    "quickstart": (
        "mcpy.commands.quickstart",
        "quickstart",
        "Run MinIO's SSE-S3 page on a sandbox.",
    ),
}


_NOT_OURS = "mcpy administers encryption"
# what else mc can do, for scripts that call mcpy in its place
OF_MC = dict.fromkeys(
    (
        *("anonymous", "cors", "diff", "du", "event", "find", "idp", "ilm", "legalhold"),
        *("license", "mirror", "od", "ping", "quota", "replicate", "retention", "share", "sql"),
        *("support", "tag", "tree", "undo", "update", "version", "watch"),
    ),
    _NOT_OURS,
) | {
    "get": "use `mcpy cp`",
    "put": "use `mcpy cp`",
    "mv": "use `mcpy cp` and `mcpy rm`",
    "head": "use `mcpy cat`",
    "pipe": "use `mcpy cp - TARGET`",
}


@click.group(
    "mcpy",
    cls=Group,
    lazy=GROUPS,
    elsewhere=OF_MC,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 99},
)
@version_option
def cli() -> None:
    """Administer encryption at rest on MinIO and KES."""


def run(
    args: Sequence[str],
    *,
    environ: Mapping[str, str] | None = None,
    stdin: TextIO | None = None,
    stdout: TextIO | None = None,
    stderr: TextIO | None = None,
    transport: httpx.BaseTransport | None = None,
) -> int:
    """Run one command line and return its exit code; the streams default to the process's own."""
    settings = Settings(json=_asks_for_json(args))
    out = Output(settings, stdout, stderr)
    try:
        app = _app(args, os.environ if environ is None else environ, out, stdin, transport)
        try:
            code = _invoke(args, app)
        finally:
            app.close()
        out.flush()
    except McpyError as error:
        out.error(error)
        code = exit_code(error)
    return code


def _app(
    args: Sequence[str],
    environ: Mapping[str, str],
    out: Output,
    stdin: TextIO | None,
    transport: httpx.BaseTransport | None,
) -> App:
    settings = out.settings
    settings.__dict__.update(vars(from_environment(environ)))
    settings.json |= _asks_for_json(args)
    return App(environ, settings, out=out, stdin=stdin, transport=transport)


def _asks_for_json(args: Sequence[str]) -> bool:
    """Whether ``--json`` stands on the line, known before a bad argument stops the parser."""
    own = args[: args.index("--")] if "--" in args else args
    return "--json" in own


def _invoke(args: Sequence[str], app: App) -> int:
    try:
        code = cli.main(args=list(args), prog_name="mcpy", standalone_mode=False, obj=app)
    except click.exceptions.NoArgsIsHelpError as error:
        if app.out.json:
            path = error.ctx.command_path
            raise InputError(f"`{path}` wants a command", hint=f"{path} --help") from error
        app.out.stderr.write(f"{error.format_message()}\n")
        return ExitCode.USAGE
    except click.UsageError as error:
        raise _usage(error) from error
    except (click.Abort, KeyboardInterrupt) as error:
        raise Interrupted("interrupted") from error
    return code if isinstance(code, int) else ExitCode.DONE


def _usage(error: click.UsageError) -> InputError:
    message = error.format_message().rstrip(".")
    path = error.ctx.command_path if error.ctx else "mcpy"
    return InputError(message[:1].lower() + message[1:], hint=f"{path} --help")


def _terminate(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001 - signal's signature
    raise Terminated("terminated")


def _hang_up(signum: int, frame: FrameType | None) -> None:
    # a terminal that closes says so to each process, and its shell says it again
    signal.signal(signum, signal.SIG_IGN)
    _terminate(signum, frame)


def _catch_signals() -> None:
    """End by an error of ours, so that what was begun is cleaned up; nohup stays obeyed."""
    signal.signal(signal.SIGTERM, _terminate)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, _hang_up)


def main() -> None:
    """Run the process's own command line and exit."""
    _catch_signals()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # a terminal that lacks a character shows its number instead of a traceback
            stream.reconfigure(errors="backslashreplace")
    # httpx loads rich and pygments for a command of its own when click is installed too
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
