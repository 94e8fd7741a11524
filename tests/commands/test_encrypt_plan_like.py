"""``encrypt apply`` on the sandbox's personalities: what would lose something is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mcpy.models import Alias
from mcpy.sandbox.like import NAMES
from mcpy.sandbox.play import Sandbox
from tests.running import Mcpy

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.sandbox


def client(folder: Path, sandbox: Sandbox) -> Mcpy:
    made = Mcpy(folder / "config", None, env={"HOME": str(folder)})
    made.secrets = {sandbox.secret_key, sandbox.api_key}
    made.store.put(Alias("play", sandbox.s3_url, sandbox.access_key, sandbox.secret_key))
    return made


@pytest.mark.parametrize("like", sorted(NAMES))
def test_no_server_loses_a_bucket_or_refuses_uploads_after_a_plan_was_applied(
    like: str, tmp_path: Path
) -> None:
    """On some, DELETE of a default deletes the bucket; some take a default they cannot keep."""
    file = tmp_path / "encryption.toml"
    with Sandbox(tmp_path / "play", like=like) as sandbox:
        mcpy = client(tmp_path, sandbox)
        assert mcpy("mb", "play/bucket").exit_code == 0
        for wanted in ("none", "sse-s3", "none"):
            file.write_text(f'[buckets."play/bucket"]\nencryption = "{wanted}"\n')
            applied = mcpy("--json", "encrypt", "apply", str(file))
            always = like == "aws" and wanted == "none"  # it goes back to SSE-S3
            assert applied.exit_code in ({1} if always else {0, 7}), applied
            assert mcpy("cp", str(file), f"play/bucket/{wanted}").exit_code == 0
        assert "mcpy-canary" not in mcpy("ls", "play").stdout
        assert "sse-s3" in mcpy("ls", "play/bucket").stdout


@pytest.mark.parametrize(
    ("like", "words"),
    [
        ("seaweedfs-default", "takes such a default and then refuses uploads"),
        ("ceph", "takes such a default and then refuses uploads"),
        ("garage", "NotImplemented"),
        ("ceph-pacific", "bucket encryption is unknown to"),
    ],
)
def test_a_default_that_a_server_cannot_keep_is_not_set(
    like: str, words: str, tmp_path: Path
) -> None:
    file = tmp_path / "encryption.toml"
    file.write_text('[buckets."play/bucket"]\nencryption = "sse-s3"\n')
    with Sandbox(tmp_path / "play", like=like) as sandbox:
        mcpy = client(tmp_path, sandbox)
        assert mcpy("mb", "play/bucket").exit_code == 0
        refused = mcpy("encrypt", "apply", str(file))
        assert (refused.exit_code, words in refused.stderr) == (7, True), refused
        assert mcpy("cp", str(file), "play/bucket/o").exit_code == 0
