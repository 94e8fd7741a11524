"""``alias list, remove, import, export``: what is shown of an alias, and what never is."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from tests.recordings import mc_answer
from tests.running import SECRET_KEY

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running import Mcpy


def stored(mcpy: Mcpy) -> dict[str, Any]:
    return dict(tomllib.loads(mcpy.store.path.read_text())["aliases"])


def test_list_shows_every_alias_and_no_secret(mcpy: Mcpy) -> None:
    result = mcpy("alias", "list", env={"MC_HOST_env": f"http://a:{SECRET_KEY}@e.test"})
    assert (result.exit_code, result.stderr) == (0, "")
    assert "play\n  URL       : http://s3.test:9000\n" in result.stdout
    assert "  secretKey : *REDACTED*\n" in result.stdout
    assert "  src       : MC_HOST_env\n" in result.stdout


def test_json_of_list_has_the_fields_of_mc(mcpy: Mcpy) -> None:
    (answer,) = mcpy("alias", "list", "play", "--json").objects
    assert mc_answer("alias-list-one-json").keys() <= answer.keys()


def test_list_shows_secrets_on_request(mcpy: Mcpy) -> None:
    result = mcpy("alias", "list", "play", "--show-secrets", reveals=True)
    assert f"secretKey : {SECRET_KEY}\n" in result.stdout


def test_an_alias_that_is_not_there_is_not_found(mcpy: Mcpy) -> None:
    result = mcpy("alias", "list", "ghost", "--json")
    (answer,) = result.objects
    assert (result.exit_code, result.stderr) == (5, "")
    assert mc_answer("alias-list-missing-json")["error"].keys() <= answer["error"].keys()
    assert answer["error"]["message"] == "no alias `ghost`"


def test_remove_takes_it_out(mcpy: Mcpy) -> None:
    assert mcpy("alias", "remove", "play") == (0, "Removed `play`.\n", "")
    assert stored(mcpy) == {}


def test_remove_of_one_that_is_not_there_is_not_found(mcpy: Mcpy) -> None:
    assert mcpy("alias", "remove", "ghost") == (
        5,
        "",
        "mcpy: error: no alias `ghost`\nmcpy: hint: mcpy alias list\n",
    )


def test_export_prints_what_import_of_mc_reads(mcpy: Mcpy) -> None:
    result = mcpy("alias", "export", "play", reveals=True)
    assert mc_answer("alias-export-json").keys() == json.loads(result.stdout).keys()
    assert json.loads(result.stdout)["secretKey"] == SECRET_KEY


def test_what_export_prints_is_imported(mcpy: Mcpy) -> None:
    exported = mcpy("alias", "export", "play", reveals=True).stdout
    assert mcpy("alias", "import", "copy", stdin=exported) == (0, "Imported `copy`.\n", "")
    assert stored(mcpy)["copy"] == stored(mcpy)["play"]


def test_import_reads_a_file(mcpy: Mcpy, tmp_path: Path) -> None:
    file = tmp_path / "alias.json"
    file.write_text(json.dumps({"url": "http://i.test", "accessKey": "a", "secretKey": "b" * 8}))
    (answer,) = mcpy("--json", "alias", "import", "imp", str(file)).objects
    assert mc_answer("alias-import-json").keys() <= answer.keys()
    assert stored(mcpy)["imp"]["url"] == "http://i.test"


@pytest.mark.parametrize("text", ["", "[]", "{}", "nonsense", '{"url": 1}', '{"url": "x"}'])
def test_import_of_something_else_stores_nothing(mcpy: Mcpy, text: str) -> None:
    result = mcpy("alias", "import", "imp", stdin=text)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("mcpy: error: stdin")
    assert "imp" not in stored(mcpy)


def test_import_without_a_name_says_how(mcpy: Mcpy) -> None:
    result = mcpy("alias", "import")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "mcpy: hint: mcpy alias import ALIAS FILE\n" in result.stderr


@pytest.mark.parametrize("name", ["rm", "remove"])
def test_the_short_names_of_mc_work(mcpy: Mcpy, name: str) -> None:
    assert mcpy("alias", name, "play") == (0, "Removed `play`.\n", "")


@pytest.mark.parametrize(
    ("short", "name"),
    [("s", "set"), ("ls", "list"), ("rm", "remove"), ("i", "import"), ("e", "export")],
)
def test_each_short_name_is_its_command(
    mcpy: Mcpy, capsys: pytest.CaptureFixture[str], short: str, name: str
) -> None:
    assert mcpy("alias", short, "--help").exit_code == 0
    shown = capsys.readouterr().out.partition("\n")[2]
    assert mcpy("alias", name, "--help").exit_code == 0
    assert shown == capsys.readouterr().out.partition("\n")[2]
