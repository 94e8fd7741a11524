"""A config folder that mc made, given with ``--config-dir``: its aliases stand behind ours."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import mcpy as library
from mcpy.models import Alias
from tests.running import ACCESS_KEY, SECRET_KEY
from tests.stub import xml

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running import Mcpy
    from tests.stub import Server

KEYS = {"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY, "api": "s3v4", "path": "auto"}
PLACEHOLDERS = {"accessKey": "YOUR-ACCESS-KEY-HERE", "secretKey": "YOUR-SECRET-KEY-HERE"}
EMPTY = xml(200, "<ListAllMyBucketsResult/>")


@pytest.fixture
def of_mc(mcpy: Mcpy) -> Path:
    """The file, in the folder that every run here is given."""
    path = mcpy.folder / "config.json"
    aliases = {
        "prod": {"url": "http://prod.test:9000", **KEYS},
        "play": {"url": "http://old.test:9000", **KEYS},
        "gcs": {"url": "https://storage.googleapis.com", **PLACEHOLDERS},
        "public": {"url": "https://play.min.io", **KEYS},
        "local": {"url": "http://localhost:9000", "accessKey": "", "secretKey": ""},
    }
    path.write_text(json.dumps({"version": "10", "aliases": aliases}))
    return path


@pytest.mark.usefixtures("of_mc")
def test_an_alias_of_mc_is_used_without_an_import(mcpy: Mcpy, server: Server) -> None:
    server.replies = [EMPTY]
    assert mcpy("ls", "prod") == (0, "", "")
    assert server.requests[0].url.host == "prod.test"


@pytest.mark.usefixtures("of_mc")
def test_ours_goes_before_that_of_mc(mcpy: Mcpy, server: Server) -> None:
    server.replies = [EMPTY]
    assert mcpy("ls", "play").exit_code == 0
    assert server.requests[0].url.host == "s3.test"


def test_a_list_names_the_file_and_leaves_out_what_mc_made_by_itself(
    mcpy: Mcpy, of_mc: Path
) -> None:
    found = {one["alias"]: one["src"] for one in mcpy("--json", "alias", "list").objects}
    ours = str(mcpy.folder / "config.toml")
    assert found == {"local": str(of_mc), "play": ours, "prod": str(of_mc)}


def test_an_alias_of_mc_is_not_removed_and_the_file_stays(mcpy: Mcpy, of_mc: Path) -> None:
    before = of_mc.read_bytes()
    for name in ("prod", "play"):  # ours alone would bring mc's back
        result = mcpy("alias", "remove", name)
        assert (result.exit_code, result.stdout) == (1, "")
        assert f"`{name}` is in {of_mc}, which mcpy does not change" in result.stderr
    assert of_mc.read_bytes() == before


def test_a_file_that_is_not_mc_s_is_named_where_it_matters(mcpy: Mcpy, server: Server) -> None:
    (mcpy.folder / "config.json").write_text("{}")
    server.replies = [EMPTY]
    assert mcpy("ls", "play").exit_code == 0
    result = mcpy("ls", "prod")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "config.json is not a config file of mc" in result.stderr


@pytest.mark.usefixtures("of_mc")
def test_the_library_reads_it_too(mcpy: Mcpy) -> None:
    with library.connect("prod", config_dir=mcpy.folder) as client:
        assert client.alias == Alias(
            "prod",
            "http://prod.test:9000",
            ACCESS_KEY,
            SECRET_KEY,
            source=str(mcpy.folder / "config.json"),
        )
