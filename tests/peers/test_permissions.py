"""Opt-in: the policies of docs/permissions.md are enough, given to users of a real MinIO."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mcpy.models import Alias
from tests.peers.world import MISSING, World, do_the_page

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(bool(MISSING), reason=f"not in MCPY_PEERS_BIN: {', '.join(MISSING)}"),
]
PAGE = Path(__file__).parents[2] / "docs" / "permissions.md"
ROLES = ("look", "change", "rewrite")
SECRET = "throw-away-secret"
LOOKING = (
    (0, "encrypt info asked/plain"),
    (0, "encrypt audit asked"),
    (0, "encrypt audit --latest --decrypt-check all asked/keyed"),
    (0, "encrypt explain asked/keyed/a"),
    (3, "encrypt impact ka asked"),
    (0, "encrypt impact kx --never-default asked"),
    (0, "encrypt plan plan.toml"),
    (0, "encrypt plan --export asked"),
    (0, "encrypt objects --versions --to sse-s3 --dry-run asked/plain"),
    (0, "doctor asked"),
    (0, "doctor asked/keyed/a"),
    (0, "admin info asked"),
    (0, "admin kms status asked"),
    (0, "admin kms key status asked"),
    (0, "admin kms key list asked"),
)
CHANGING = (
    (0, "encrypt set sse-s3 asked/other"),
    (0, "encrypt clear asked/other"),
    (0, "encrypt apply plan.toml"),
    (0, "admin kms key create asked kb"),
    (0, "admin service restart asked"),
)
REWRITING = (
    (0, "encrypt objects --versions --to sse-s3 asked/plain"),
    (0, "encrypt objects --to sse-kms:ka asked/other"),
    (0, "encrypt rotate --from ka --to kx asked/keyed"),
    (0, "encrypt rotate --from kx --to ka --engine copy asked/keyed"),
)
BEYOND = {
    "look": ("encrypt set sse-s3 asked/other", "encrypt clear asked/plain"),
    "change": ("cp FILE asked/other/b", "rm asked/other/a"),
    "rewrite": ("rm asked/other/a", "mb asked/new"),
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("permissions")) as made:
        do_the_page(made)
        fill(made)
        let_in(made)
        yield made


def fill(world: World) -> None:
    file = world.folder / "FILE"
    file.write_text("what is in it")
    (world.folder / "plan.toml").write_text(
        '[keys."asked/ka"]\ncreate = true\n[buckets."asked/plain"]\nencryption = "sse-s3"\n'
    )
    for step in (
        "kes key create ka kx",
        "mb play/plain play/keyed play/other",
        "encrypt set sse-s3 play/plain",
        "encrypt set sse-kms ka play/keyed",
        f"cp {file} play/plain/a",
        f"cp --tags a=b {file} play/keyed/a",
        f"cp --tags a=b {file} play/other/a",
    ):
        result = world.mcpy(*step.split())
        assert result.exit_code == 0, result
    world.mc("version", "enable", "play/plain")
    world.mc("cp", str(file), "play/plain/a")


def let_in(world: World) -> None:
    """Make a user for each chapter of the page, who has what the chapters so far allow."""
    policies = re.findall(r"```json\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert len(policies) == len(ROLES)
    for role, text in zip(ROLES, policies, strict=True):
        file = world.folder / f"{role}.json"
        file.write_text(text)
        world.mc("admin", "policy", "create", "play", role, str(file))
    for place, role in enumerate(ROLES, 1):
        world.mc("admin", "user", "add", "play", role, SECRET)
        world.mc("admin", "policy", "attach", "play", *ROLES[:place], "--user", role)


@pytest.mark.parametrize(
    ("role", "wanted", "line"),
    [
        *(("look", *case) for case in LOOKING),
        *(("change", *case) for case in CHANGING),
        *(("rewrite", *case) for case in (*LOOKING, *CHANGING, *REWRITING)),
        *((role, 4, line) for role, lines in BEYOND.items() for line in lines),
    ],
)
def test_what_the_page_allows_is_enough_and_no_more(
    world: World, monkeypatch: pytest.MonkeyPatch, role: str, wanted: int, line: str
) -> None:
    monkeypatch.chdir(world.folder)
    mcpy = world.mcpy
    mcpy.store.put(Alias("asked", f"http://127.0.0.1:{world.s3_port}", role, SECRET))
    words = line.split()
    if "create" in words and role == "rewrite":
        words[-1] = "kc"
    result = mcpy(*words)
    assert result.exit_code == wanted, result
    assert ("AccessDenied" in result.stderr) == (wanted == 4)
    assert "not checked" not in result.stdout
