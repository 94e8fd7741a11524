"""Man pages, completions and the README's tables: true of the command tree, and really working."""

from __future__ import annotations

import importlib
import os
import pkgutil
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

import mcpy.commands
from mcpy.__main__ import cli
from mcpy.cli.app import App
from mcpy.cli.base import Group
from mcpy.cli.docs import tree
from mcpy.cli.docs.__main__ import generated, main, stale
from mcpy.cli.docs.examples import EXAMPLES
from mcpy.config import AliasStore
from mcpy.errors import EXIT_CODE_MEANINGS, ConfigError, ExitCode
from mcpy.models import Alias, KesProfile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
TREE = tree.read(cli, "mcpy")
SCRIPTS = Path(__file__).parent / "completion"


def test_what_is_generated_is_up_to_date() -> None:
    names = [str(path.relative_to(ROOT)) for path in stale(ROOT, generated(ROOT))]
    assert names == [], "run: python -m mcpy.cli.docs"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with all that is generated, as it should be."""
    shutil.copy(README, tmp_path)
    main.main([str(tmp_path)], standalone_mode=False)
    return tmp_path


def test_check_names_stale_missing_and_leftover_files(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (checkout / "completions" / "_mcpy").write_text("old")
    (checkout / "man" / "mcpy.1").unlink()
    (checkout / "man" / "mcpy-gone.1").touch()
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main.main(["--check", str(checkout)], standalone_mode=False)
    assert ended.value.code == 1
    assert capsys.readouterr() == (
        "",
        "completions/_mcpy is stale\nman/mcpy-gone.1 is stale\nman/mcpy.1 is stale\n"
        "run: python -m mcpy.cli.docs\n",
    )
    assert (checkout / "completions" / "_mcpy").read_text() == "old"


def test_writing_removes_the_page_of_a_command_that_is_gone(checkout: Path) -> None:
    (checkout / "man" / "mcpy-gone.1").touch()
    main.main([str(checkout)], standalone_mode=False)
    assert not (checkout / "man" / "mcpy-gone.1").exists()
    main.main(["--check", str(checkout)], standalone_mode=False)


def test_a_readme_without_the_place_of_a_table_is_an_error(checkout: Path) -> None:
    (checkout / "README.md").write_text("# mcpy\n")
    with pytest.raises(ConfigError, match="no place for the table `commands`"):
        generated(checkout)


@pytest.mark.parametrize("node", list(TREE.walk()), ids=lambda node: node.words)
def test_every_command_option_and_argument_is_explained(node: tree.Node) -> None:
    assert node.short_help.endswith("."), "the docstring's first sentence"
    for option in node.options:
        assert re.match(r"\w", option.help), option.names
    for argument in node.arguments:
        assert argument.value.metavar


@pytest.mark.parametrize("node", list(TREE.walk()), ids=lambda node: node.words)
def test_no_two_options_of_a_command_have_one_name(node: tree.Node) -> None:
    names = [name for option in node.options for name in option.names]
    assert len(names) == len(set(names))


def test_options_are_listed_in_the_order_of_their_use() -> None:
    node = next(node for node in TREE.walk() if node.words == "mcpy alias set")
    names = [option.names[-1] for option in node.options]
    assert names.index("--secret-key-env") < names.index("--secret-key-command")
    assert names.index("--kes-server") < names.index("--kes-cert") < names.index("--kes-ca")


def groups(group: click.Group, path: str = "mcpy") -> dict[str, Group]:
    """Return every group by what is typed for it."""
    assert isinstance(group, Group)
    found = {path: group}
    for name in group.list_commands(click.Context(group)):
        below = group.get_command(click.Context(group), name)
        if isinstance(below, Group):
            found |= groups(below, f"{path} {name}")
    return found


@pytest.mark.parametrize("path", groups(cli))
def test_the_line_of_a_lazy_command_is_the_commands_own(path: str) -> None:
    group = groups(cli)[path]
    own = {
        name: getattr(importlib.import_module(module), attribute).get_short_help_str(limit=200)
        for name, (module, attribute, _) in group.lazy.items()
    }
    assert {name: text for name, (_, _, text) in group.lazy.items()} == own


def test_every_command_that_is_written_can_be_reached() -> None:
    reachable = {command.callback for command in _commands(cli)}
    for module in pkgutil.walk_packages(mcpy.commands.__path__, "mcpy.commands."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, click.Command) and not value.hidden:
                assert value.callback in reachable, f"{module.name}: {value.name}"


def _commands(command: click.Command) -> list[click.Command]:
    if not isinstance(command, click.Group):
        return [command]
    context = click.Context(command)
    below = [command.get_command(context, name) for name in command.list_commands(context)]
    return [command, *(found for child in below if child for found in _commands(child))]


def test_every_exit_code_stands_in_the_readme() -> None:
    text = README.read_text("utf-8")
    assert set(EXIT_CODE_MEANINGS) == set(ExitCode)
    for code in ExitCode:
        assert f"| {int(code)} | {EXIT_CODE_MEANINGS[code]} |" in text


def test_the_readmes_layout_is_that_of_the_code() -> None:
    layout = README.read_text("utf-8").split("## Layout")[1].split("```")[1]
    paths = set(re.findall(r"^((?:mcpy|tests|completions|man)[\w/.]*)", layout, re.MULTILINE))
    assert {path for path in paths if not (ROOT / path).exists()} == set()
    parts = {f"mcpy/{path.parent.name}/" for path in (ROOT / "mcpy").glob("*/__init__.py")}
    parts |= {f"mcpy/{path.name}" for path in (ROOT / "mcpy").glob("*.py")}
    assert parts - paths == {"mcpy/__init__.py"}


def _examples_of_pages() -> Iterator[list[str]]:
    """Yield each call of mcpy in the shell blocks of the README and of docs/, as words."""
    text = "".join(page.read_text("utf-8") for page in PAGES)
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
        for line in block.replace("\\\n", "").splitlines():
            if "<<" in line or "$(" in line:
                continue
            lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;<>")
            lexer.whitespace_split = True
            call: list[str] = []
            for word in [*lexer, "&&"]:
                if not set(word) <= set("&|;<>"):
                    call.append(word)
                    continue
                if call and call[0] in {"mcpy", ".venv/bin/mcpy"}:
                    yield call
                call = []


def _anchors(page: Path) -> set[str]:
    """Return what GitHub names the headings of a page."""
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text("utf-8")):
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        assert not anchor or anchor in _anchors(target), link


@pytest.mark.parametrize(
    "words",
    [
        *(shlex.split(line) for examples in EXAMPLES.values() for _, line in examples),
        *_examples_of_pages(),
    ],
    ids=" ".join,
)
def test_every_example_is_a_line_the_parser_takes(words: list[str]) -> None:
    command: click.Command = cli
    context = click.Context(cli, obj=App({}))
    rest = words[1:]
    while isinstance(command, click.Group):
        place = next(i for i, word in enumerate(rest) if not word.startswith("-"))
        below = command.get_command(context, rest[place])
        assert below is not None, f"no command `{rest[place]}`"
        command, rest = below, rest[:place] + rest[place + 1 :]
    command.make_context(command.name, rest, parent=context)


def test_the_examples_belong_to_pages_that_exist() -> None:
    assert set(EXAMPLES) <= {"mcpy", *(node.words for node in TREE.children)}


@pytest.mark.parametrize("page", sorted((ROOT / "man").glob("*.1")), ids=lambda page: page.name)
def test_a_man_page_is_valid_and_complete(page: Path) -> None:
    groff = shutil.which("groff")
    if groff is None:
        pytest.skip("groff is not installed")
    done = subprocess.run(
        [groff, "-man", "-ww", "-Tascii", "-P-cbou", page],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    titles = re.findall(r"^[A-Z ]+$", done.stdout, re.MULTILINE)
    wanted = ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "ENVIRONMENT", "EXIT STATUS"]
    assert [title for title in titles if title in wanted] == wanted
    assert "FILES" in titles


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A config folder as mcpy writes it, with two aliases, one of them with a KES."""
    folder = tmp_path / "my config"
    store = AliasStore(folder, {})
    store.put(Alias("play", "http://s3.test", kes=KesProfile("https://kes.test")))
    store.put(Alias("prod-1", "http://s3.test"))
    return folder


def _offer(command: list[str | Path], folder: Path) -> set[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder.parent),
        "MCPY_CONFIG_DIR": str(folder),
        "MC_HOST_elsewhere": "http://s3.test",
        "TERM": "dumb",
    }
    done = subprocess.run(
        command,
        env=environment,
        cwd=folder.parent,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stderr == ""
    return set(done.stdout.splitlines())


def _shell(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


@pytest.fixture(params=["bash", "zsh", "fish"])
def complete(request: pytest.FixtureRequest, config: Path) -> Callable[[str], set[str]]:
    """Complete a line as one shell would, by the committed script."""
    shell, scripts = _shell(request.param), ROOT / "completions"
    commands: dict[str, Callable[[str], list[str | Path]]] = {
        "bash": lambda line: [
            *(shell, "--norc", SCRIPTS / "bash.sh", scripts / "mcpy.bash"),
            *re.split(r" |(?<==)|(?==)", line),
        ],
        "zsh": lambda line: [shell, "-f", SCRIPTS / "zsh.zsh", scripts, line],
        "fish": lambda line: [
            *(shell, "--no-config", SCRIPTS / "fish.fish", scripts / "mcpy.fish", line)
        ],
    }
    return lambda line: _offer(commands[request.param](line), config)


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("mcpy encry", {"encrypt"}),
        ("mcpy --json admin servi", {"service"}),
        ("mcpy --timeout 5s admin kms key sta", {"status"}),
        ("mcpy encrypt set ", {"sse-s3", "sse-kms"}),
        ("mcpy encrypt set sse-s3 ", {"play/", "prod-1/", "elsewhere/"}),
        ("mcpy encrypt set sse-s3 play/a pr", {"prod-1/"}),
        ("mcpy alias remove ", {"play", "prod-1", "elsewhere"}),
        ("mcpy alias set --anonym", {"--anonymous"}),
        ("mcpy kes status --alias pl", {"play"}),
        ("mcpy ls --no-col", {"--no-color"}),
        ("mcpy --config-dir . alias remove ", {"elsewhere"}),
    ],
)
def test_a_shell_completes(
    complete: Callable[[str], set[str]], line: str, offered: set[str]
) -> None:
    assert complete(line) == offered


def test_a_shell_offers_files_where_a_file_belongs(
    complete: Callable[[str], set[str]], config: Path
) -> None:
    (config.parent / "dump.sql").touch()
    assert complete("mcpy cp dump") == {"dump.sql"}


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({}, ".config/mcpy"),
        ({"XDG_CONFIG_HOME": "@/xdg"}, "xdg/mcpy"),
        ({"OSTYPE": "darwin23"}, "Library/Application Support/mcpy"),
        ({"MC_CONFIG_DIR": "@/mc"}, "mc"),
        ({"MC_CONFIG_DIR": "@/mc", "MCPY_CONFIG_DIR": "@/own"}, "own"),
    ],
)
def test_bash_looks_for_aliases_where_mcpy_keeps_them(
    tmp_path: Path, environment: dict[str, str], folder: str
) -> None:
    AliasStore(tmp_path / folder, {}).put(Alias("here", "http://s3.test"))
    ostype = environment.get("OSTYPE", "linux-gnu")
    script = f"OSTYPE={ostype}; . {SCRIPTS / 'bash.sh'} {ROOT / 'completions' / 'mcpy.bash'}"
    done = subprocess.run(
        [_shell("bash"), "--norc", "-c", f"{script} mcpy alias remove ''"],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            **{name: value.replace("@", str(tmp_path)) for name, value in environment.items()},
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "here\n", "")


def test_completion_starts_no_python(config: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("bash", "sed"):
        (folder / name).symlink_to(_shell(name))
    script = [str(SCRIPTS / "bash.sh"), str(ROOT / "completions" / "mcpy.bash")]
    done = subprocess.run(
        [str(folder / "bash"), "--norc", *script, "mcpy", "ls", ""],
        env={"PATH": str(folder), "HOME": str(tmp_path), "MCPY_CONFIG_DIR": str(config)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "play/\nprod-1/\n", "")


def test_the_generator_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mcpy.cli.docs", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "--check" in done.stdout
