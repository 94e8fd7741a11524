"""The gate before a key goes, on a real MinIO with a real KES."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcpy.models import Alias, KesProfile
from tests.peers.world import MISSING, PASSWORD, USER, World, do_the_page

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(bool(MISSING), reason=f"MCPY_PEERS_BIN names no folder with {MISSING}"),
]


def test_neither_the_wrong_server_nor_a_narrow_look_frees_a_key(tmp_path: Path) -> None:
    for name in ("prod", "staging"):
        (tmp_path / name).mkdir()
    with World(tmp_path / "prod") as prod, World(tmp_path / "staging") as staging:
        do_the_page(prod)
        do_the_page(staging)
        mcpy = prod.mcpy
        elsewhere = f"http://127.0.0.1:{staging.s3_port}"
        mcpy.store.put(Alias("staging", elsewhere, USER, PASSWORD))
        assert mcpy("kes", "key", "create", "doomed").exit_code == 0
        rm = ("kes", "key", "rm", "--yes", "doomed")
        wrong = mcpy(*rm, "--impact-on", "staging", "--never-default")
        assert wrong.exit_code == 3, wrong
        assert "this server's KMS does not have the key" in wrong.stderr
        unvouched = mcpy(*rm, "--impact-on", "play")
        assert unvouched.exit_code == 3, unvouched
        assert "IAM and settings need it" in unvouched.stderr
        profile = KesProfile(f"127.0.0.1:{prod.kes_port}")
        url = f"http://127.0.0.1:{prod.s3_port}"
        mcpy.store.put(Alias("using", url, USER, PASSWORD, kes=profile))
        both = mcpy(*rm, "--impact-on", "staging", "--never-default")
        assert both.exit_code == 3, both
        assert f"on using ({url})" in both.stderr
        hint = both.stderr.split("hint: mcpy ")[1]
        assert mcpy("kes", "key", "info", "doomed").exit_code == 0
        pasted = mcpy(*hint.split())
        assert pasted.exit_code == 0, pasted
        assert mcpy("kes", "key", "info", "doomed").exit_code == 5
