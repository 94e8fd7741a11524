"""Options as mc's scripts may write them: ``-json``, ``--json=true``, ``--r``.

mc reads its command line as Go's package ``flag`` does, and click does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# what Go's strconv.ParseBool takes
_TRUE = {"1", "t", "T", "TRUE", "true", "True"}
_FALSE = {"0", "f", "F", "FALSE", "false", "False"}


def as_click_reads(
    words: Sequence[str],
    params: Sequence[click.Parameter],
    switch_off: Callable[[click.Option], None],
    *,
    interspersed: bool,
) -> list[str]:
    """Return ``words`` as click reads them; a flag that is ``=false`` is given to ``switch_off``.

    Args:
        words: the command line behind the command's name.
        params: what the command takes.
        switch_off: told of each flag that is not wanted.
        interspersed: whether options may come behind arguments.
    """
    options = {name: p for p in params if isinstance(p, click.Option) for name in p.opts}
    left, found = list(words), list[str]()
    while left:
        word = left.pop(0)
        if word == "--" or not (interspersed or word.startswith("-")):
            return [*found, word, *left]
        name, equals, value = word.partition("=")
        name = _known(name, options) if word.startswith("-") else word
        option = options.get(name)
        if option is None:
            found.append(word)
        elif option.is_flag and equals and value in _TRUE | _FALSE:
            if value in _TRUE:
                found.append(name)
            else:
                switch_off(option)
        elif equals:
            found += [f"{name}={value}"] if name.startswith("--") else [name, value]
        else:
            found.append(name)
            # its value is no option, whatever it looks like
            found += [left.pop(0)] if left and not option.is_flag else []
    return found


def _known(name: str, options: dict[str, click.Option]) -> str:
    """Return the option that ``name`` is, with one hyphen or two."""
    if name in options:
        return name
    bare = name.lstrip("-")
    other = f"-{bare}" if len(bare) == 1 else f"--{bare}"
    return other if other in options else name
