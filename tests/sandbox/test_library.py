"""``mcpy.sandbox.Sandbox`` as others use it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

import mcpy.sandbox
from mcpy.api.http import HttpOptions
from mcpy.api.s3 import S3
from mcpy.errors import ConfigError, InputError, S3Error
from mcpy.sandbox import Sandbox
from mcpy.sandbox.home import read_environment

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.sandbox


def client(play: Sandbox) -> S3:
    return S3(play.alias(), HttpOptions())


def test_it_is_imported_from_the_package() -> None:
    assert mcpy.sandbox.__all__ == ["Sandbox"]
    with pytest.raises(AttributeError, match="no attribute 'Ghost'"):
        _ = mcpy.sandbox.Ghost


def test_a_sandbox_that_never_starts_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    play = Sandbox()
    assert (play.s3_url, play.kes_url, play.region) == ("", "", "")
    play.stop()
    for wrong in ({"like": "ghost"}, {"faults": ["ghost"]}, {"s3": "nowhere"}):
        with pytest.raises(InputError):
            Sandbox(**wrong)
    assert list(tmp_path.iterdir()) == []


def test_with_a_kms_key_it_encrypts_at_once(tmp_path: Path) -> None:
    with Sandbox(str(tmp_path / "box"), kms_key="my-key") as play:
        s3 = client(play)
        s3.make_bucket("data")
        content = b"not to be found on disk " * 50
        s3.put_object("data", "a", content, headers={"x-amz-server-side-encryption": "AES256"})
        assert s3.head_object("data", "a").encryption.algorithm == "AES256"
        with s3.get_object("data", "a") as (_, stream):
            assert b"".join(stream.chunks()) == content
        files = [path for path in play.home.data.rglob("*") if path.is_file()]
        assert not any(content[:40] in path.read_bytes() for path in files)
        assert 0 < play.started_in_s < 15
        s3.http.close()
    # again, on other ports, with the same key
    with Sandbox(tmp_path / "box", kms_key="my-key") as play:
        variables = read_environment(play.home.env_file)
        assert variables["MINIO_KMS_KES_ENDPOINT"] == play.kes_url
        s3 = client(play)
        with s3.get_object("data", "a") as (_, stream):
            assert b"".join(stream.chunks()) == content
        s3.http.close()


def test_without_a_kms_key_it_is_as_a_new_minio() -> None:
    with Sandbox() as play:
        s3 = client(play)
        s3.make_bucket("data")
        with pytest.raises(S3Error, match="KMS is not configured"):
            s3.put_object("data", "a", b"x", headers={"x-amz-server-side-encryption": "AES256"})
        s3.http.close()


def test_a_key_that_cannot_be_made_is_said() -> None:
    with pytest.raises(ConfigError, match="cannot make the key `a/b`"):
        Sandbox(kms_key="a/b").start()


def test_many_run_at_once_and_know_nothing_of_each_other() -> None:
    plays = [Sandbox(like=name) for name in ("minio", "aws", "moto", "garage")]
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(Sandbox.start, plays))
        assert len({play.s3_url for play in plays} | {play.kes_url for play in plays}) == 8
        for play in plays:
            s3 = client(play)
            assert list(s3.list_buckets()) == []
            s3.make_bucket(f"of-{play.like}")
            s3.http.close()
    finally:
        for play in plays:
            play.stop()
    assert not any(play.home.path.exists() for play in plays)


# botocore leaves sockets of its pool to the collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("tls", [False, True])
def test_what_it_tells_is_enough_for_other_clients(tls: bool) -> None:
    session = pytest.importorskip("botocore.session")
    with Sandbox(kms_key="my-key", tls=tls) as play:
        s3 = session.get_session().create_client("s3", **play.client_kwargs())
        s3.create_bucket(Bucket="data")
        s3.put_object(Bucket="data", Key="a", Body=b"x", ServerSideEncryption="aws:kms")
        assert s3.head_object(Bucket="data", Key="a")["SSEKMSKeyId"] == "arn:aws:kms:my-key"
        s3.close()
        program = "import botocore.session as b; c = b.get_session().create_client('s3'); "
        program += "print(c.list_buckets()['Buckets'][0]['Name'])"
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={"PATH": os.environ["PATH"], "HOME": str(play.home.path), **play.s3_env()},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (done.stdout, done.stderr) == ("data\n", "")
        done = subprocess.run(
            [sys.executable, "-m", "mcpy", "kes", "key", "ls"],
            env={"PATH": os.environ["PATH"], "HOME": str(play.home.path), **play.env()},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (done.returncode, done.stdout) == (0, "my-key\n")
