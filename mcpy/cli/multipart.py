"""How large objects are cut: ``--parallel``, and mc's variables for uploads in parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcpy.cli.params import parse_bytes
from mcpy.errors import InputError

if TYPE_CHECKING:
    from mcpy.cli.app import App
    from mcpy.fleet.transfer.place import Limits

PART_SIZE_VARIABLES = ("MCPY_UPLOAD_MULTIPART_SIZE", "MC_UPLOAD_MULTIPART_SIZE")
PART_COUNT_VARIABLES = ("MCPY_UPLOAD_MULTIPART_THREADS", "MC_UPLOAD_MULTIPART_THREADS")
_SMALLEST_PART = 5 * 1024**2
_LARGEST_PART = 5 * 1024**3
_PARALLEL = 4
MAX_PARALLEL = 64


def part_limits(app: App) -> Limits:
    """Return the sizes at which objects are moved in parts.

    Raises:
        InputError: the variable holds no size that S3 takes.
    """
    from mcpy.fleet.transfer.place import Limits

    name, value = _first(app, PART_SIZE_VARIABLES)
    if not value:
        return Limits()
    try:
        size = parse_bytes(value)
    except InputError as e:
        raise InputError(f"{name} does not hold a size such as 64MiB") from e
    if not _SMALLEST_PART <= size <= _LARGEST_PART:
        raise InputError(f"{name} is not between 5MiB and 5GiB, which S3 takes as a part")
    return Limits(part=size)


def parallel(app: App, given: int | None) -> int:
    """Return how many parts are moved at a time.

    Raises:
        InputError: the variable holds no such number.
    """
    name, value = _first(app, PART_COUNT_VARIABLES)
    if given or not value:
        return given or _PARALLEL
    if not (value.isdecimal() and value.isascii() and 1 <= int(value[:9]) <= MAX_PARALLEL):
        raise InputError(f"{name} is not a number from 1 to {MAX_PARALLEL}")
    return int(value)


def _first(app: App, names: tuple[str, ...]) -> tuple[str, str]:
    found = ((name, app.environ.get(name, "").strip()) for name in names)
    return next(((name, value) for name, value in found if value), (names[0], ""))
