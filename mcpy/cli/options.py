"""The global options: what they are called, which environment names they have, what they hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from mcpy.cli.params import DURATION, HEADER, RATE, RESOLVE
from mcpy.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

_TRUE = {"1", "true", "on", "yes", "t", "y"}
_FALSE = {"0", "false", "off", "no", "f", "n", ""}


@dataclass
class Settings:
    """The values of the global options.

    ``timeout_s`` is None when nobody asked for one; limits are in bytes a second, None for none.
    ``typed`` has the names of those that stood on the command line.
    """

    json: bool = False
    quiet: bool = False
    debug: bool = False
    no_color: bool = False
    insecure: bool = False
    show_secrets: bool = False
    config_dir: Path | None = None
    ca: Path | None = None
    timeout_s: float | None = None
    retries: int = 3
    resolve: tuple[tuple[str, str], ...] = ()
    custom_header: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    limit_upload: int | None = None
    limit_download: int | None = None
    disable_pager: bool = False
    typed: set[str] = field(default_factory=set)


def _keep(ctx: click.Context, param: click.Parameter, value: Any) -> Any:  # noqa: ANN401
    """Put a value given on the line into the settings; deeper levels do not undo it."""
    name = param.name or ""
    if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
        settings: Settings = ctx.find_root().obj.settings
        if param.multiple:
            value = (*getattr(settings, name), *value)
        setattr(settings, name, value)
        settings.typed.add(name)
    return value


def _option(*names: str, **attributes: Any) -> click.Option:  # noqa: ANN401 - click's attributes
    return click.Option(list(names), expose_value=False, callback=_keep, **attributes)


def _flag(*names: str, help: str, **attributes: Any) -> click.Option:  # noqa: A002, ANN401
    return _option(*names, is_flag=True, help=help, **attributes)


_FILE = click.Path(path_type=Path)
GLOBAL_OPTIONS: list[click.Option] = [
    _flag("--json", is_eager=True, help="One JSON object a line."),
    _flag("--quiet", "-q", help="No progress, no success messages."),
    _flag("--debug", help="Show each request on stderr, without secrets."),
    _flag("--no-color", help="No colour."),
    _flag("--insecure", "-k", help="Trust any TLS certificate."),
    _flag("--show-secrets", help="Print secret keys where they are hidden otherwise."),
    _option("--config-dir", "-C", type=_FILE, metavar="DIR", help="The config folder."),
    _option("--ca", type=_FILE, metavar="FILE", help="Certificates to trust, PEM file or folder."),
    _option(
        "--timeout",
        "timeout_s",
        type=DURATION,
        metavar="DURATION",
        help="Of the command; of each call in cp, cat, ls, rm and rb; what a transfer may stand"
        " still. [30s, a transfer 60s]",
    ),
    _option(
        "--retries",
        type=click.IntRange(0, 20),
        metavar="N",
        help="Repeats of a failed request where that is safe. [3]",
    ),
    _option("--resolve", type=RESOLVE, multiple=True, help="Connect to ADDRESS instead of HOST."),
    _option("--custom-header", "-H", type=HEADER, multiple=True, help="Send with every request."),
    _option("--limit-upload", type=RATE, metavar="RATE", help="Bytes a second, such as 10MiB."),
    _option("--limit-download", type=RATE, metavar="RATE", help="Bytes a second, such as 10MiB."),
    _flag("--disable-pager", "--dp", help="Nothing: mcpy has no pager. mc's option."),
]
# mc's hidden options: how long one connection may be silent is --timeout here
_IGNORED = ("--conn-read-deadline", "--conn-write-deadline")
ACCEPTED_OPTIONS: list[click.Option] = [
    click.Option([name], expose_value=False, hidden=True, type=DURATION) for name in _IGNORED
]


def from_environment(environ: Mapping[str, str]) -> Settings:
    """Read ``MCPY_<OPTION>``, then mc's ``MC_<OPTION>``.

    Raises:
        InputError: a value is not of the option's type; it is named, not repeated.
    """
    # https://no-color.org: any value but the empty one
    settings = Settings(no_color=bool(environ.get("NO_COLOR")))
    for option in GLOBAL_OPTIONS:
        variable = _variable(option, environ)
        if variable:
            setattr(settings, option.name or "", _convert(option, variable, environ[variable]))
    return settings


def variable_names(option: click.Option) -> tuple[str, str]:
    """Return the environment names of a global option, mcpy's first."""
    word = option.opts[0].lstrip("-").replace("-", "_").upper()
    return f"MCPY_{word}", f"MC_{word}"


def _variable(option: click.Option, environ: Mapping[str, str]) -> str | None:
    return next((name for name in variable_names(option) if environ.get(name)), None)


def _convert(option: click.Option, variable: str, value: str) -> Any:  # noqa: ANN401
    try:
        if option.is_flag:
            return _boolean(value)
        converted = option.type.convert(value, None, None)
    except (click.BadParameter, InputError, ValueError) as e:
        raise InputError(f"{variable} does not hold a value for {option.opts[0]}") from e
    return (converted,) if option.multiple else converted


def _boolean(value: str) -> bool:
    if value.lower() in _TRUE | _FALSE:
        return value.lower() in _TRUE
    raise ValueError(value)
