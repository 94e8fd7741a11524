"""Opt-in: whether an answer of `encrypt impact` is complete, asked of the real servers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from mcpy.models import Alias
from tests.peers.world import MISSING, PASSWORD, USER, World, do_the_page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(bool(MISSING), reason=f"not in MCPY_PEERS_BIN: {', '.join(MISSING)}"),
]
NARROW = {"Action": ["s3:*"], "Resource": ["arn:aws:s3:::seen", "arn:aws:s3:::seen/*"]}
LISTING = {"Action": ["s3:ListAllMyBuckets"], "Resource": ["*"]}
EVERYTHING = {"Action": ["s3:*"], "Resource": ["arn:aws:s3:::*"]}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path) as made:
        do_the_page(made)
        made.mc("mb", "play/seen")
        yield made


def policy(world: World, name: str, *statements: dict[str, list[str]]) -> Path:
    rights = [{"Action": ["admin:*"]}, {"Action": ["kms:*"]}, *statements]
    listed = [{"Effect": "Allow", **one} for one in rights]
    file = world.folder / f"{name}.json"
    file.write_text(json.dumps({"Version": "2012-10-17", "Statement": listed}))
    return file


def impact_of(world: World, access: str, secret: str) -> int:
    mcpy = world.mcpy
    mcpy.store.put(Alias("asked", f"http://127.0.0.1:{world.s3_port}", access, secret))
    return mcpy("encrypt", "impact", "--never-default", "kx", "asked").exit_code


def test_only_who_may_list_every_bucket_gets_a_complete_answer(world: World) -> None:
    world.mcpy("kes", "key", "create", "kx")
    for name, statements in (
        ("narrow", [NARROW]),
        ("lister", [NARROW, LISTING]),
        ("whole", [EVERYTHING]),
    ):
        file = policy(world, name, *statements)
        world.mc("admin", "policy", "create", "play", name, str(file))
        world.mc("admin", "user", "add", "play", name, "throw-away-secret")
        world.mc("admin", "policy", "attach", "play", name, "--user", name)
    own = world.mc("admin", "accesskey", "create", "play")[0]
    less = world.mc(
        "admin", "accesskey", "create", "play", "--policy", str(world.folder / "narrow.json")
    )[0]
    found = {
        name: impact_of(world, *keys)
        for name, keys in {
            "root": (USER, PASSWORD),
            **{name: (name, "throw-away-secret") for name in ("narrow", "lister", "whole")},
            "own": (own["accessKey"], own["secretKey"]),
            "less": (less["accessKey"], less["secretKey"]),
        }.items()
    }
    assert found == {"root": 0, "narrow": 8, "lister": 0, "whole": 0, "own": 0, "less": 8}


def test_a_bucket_that_was_just_removed_is_no_doubt(world: World) -> None:
    assert world.mcpy("kes", "key", "create", "kx").exit_code == 0
    world.mc("mb", "play/gone")
    assert impact_of(world, USER, PASSWORD) == 0
    world.mc("rb", "play/gone")
    assert impact_of(world, USER, PASSWORD) == 0
