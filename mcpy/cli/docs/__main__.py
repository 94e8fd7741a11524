"""``python -m mcpy.cli.docs [--check] [ROOT]``: write or check what is generated."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

# the only import upwards: the generator reads the whole tree, and nothing imports the generator
from mcpy.__main__ import cli
from mcpy.cli.docs import bash, fish, man, readme, tree, zsh
from mcpy.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Mapping

GENERATED_FOLDERS = ("completions", "man")


def generated(root: Path) -> dict[Path, str]:
    """Return what every generated file should hold; the README is read, the rest is not."""
    node = tree.read(cli, "mcpy")
    found = {
        root / "completions" / "mcpy.bash": bash.script(node),
        root / "completions" / "_mcpy": zsh.script(node),
        root / "completions" / "mcpy.fish": fish.script(node),
    }
    found |= {root / "man" / name: text for name, text in man.pages(node).items()}
    readme_file = root / "README.md"
    found[readme_file] = readme.filled(readme_file.read_text("utf-8"), node)
    return found


def stale(root: Path, wanted: Mapping[Path, str]) -> list[Path]:
    """Return the files that differ, are missing, or belong to a command that is gone."""
    differ = [p for p, text in wanted.items() if not p.exists() or p.read_text("utf-8") != text]
    there = [path for folder in GENERATED_FOLDERS for path in (root / folder).glob("*")]
    return sorted([*differ, *(path for path in there if path not in wanted)])


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; fail when a file is stale.")
@click.argument("root", type=click.Path(path_type=Path, file_okay=False), default=".")
def main(root: Path, *, check: bool) -> None:
    """Write the completions, the man pages and the README's tables below ROOT."""
    wanted = generated(root)
    for path in stale(root, wanted):
        click.echo(f"{path.relative_to(root)} {'is stale' if check else 'written'}", err=True)
        if check:
            continue
        if path in wanted:
            path.parent.mkdir(exist_ok=True)
            path.write_text(wanted[path], "utf-8")
        else:
            path.unlink()
    if check and stale(root, wanted):
        click.echo("run: python -m mcpy.cli.docs", err=True)
        sys.exit(ExitCode.FAILED)


if __name__ == "__main__":
    main()
