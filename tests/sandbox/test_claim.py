"""Whose folder a sandbox takes, how it leaves it, and what becomes of it in another place."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from mcpy.errors import ConfigError, UnreachableError
from mcpy.sandbox import claim
from mcpy.sandbox.claim import Claim
from mcpy.sandbox.home import Home, State, read_environment
from mcpy.sandbox.play import Sandbox

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.sandbox

DEPLOYMENT = {
    "minio.env": "MINIO_ROOT_USER=admin\nMINIO_ROOT_PASSWORD=throw-away\n",
    "kes.yml": "address: 0.0.0.0:7373\n",
    "keys/my-key": "not a sandbox's",
    "state.json": "{}",
}


def files(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_folder_of_something_else_is_refused_and_stays_as_it_is(tmp_path: Path) -> None:
    for name, text in DEPLOYMENT.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    with pytest.raises(ConfigError, match="not empty and not a sandbox's") as error:
        Sandbox(tmp_path).start()
    assert error.value.hint == "mcpy sandbox start --dir AN_EMPTY_FOLDER"
    assert files(tmp_path) == DEPLOYMENT


def test_an_empty_folder_becomes_a_sandbox_s(tmp_path: Path) -> None:
    assert not claim.is_sandbox(tmp_path)
    Claim(tmp_path).take()
    assert claim.is_sandbox(tmp_path)
    assert json.loads((tmp_path / "sandbox.json").read_text()) == {
        "format": 1,
        "path": str(tmp_path),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"format": 2, "path": "/x"}', "has format 2, and this mcpy knows 1"),
        ('{"theme": "sand"}', r"sandbox\.json is not a sandbox's"),
        ("sand", r"sandbox\.json is not a sandbox's"),
        ("[]", r"sandbox\.json is not a sandbox's"),
    ],
)
def test_a_mark_of_another_kind_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "sandbox.json").write_text(text)
    assert not claim.is_sandbox(tmp_path)
    with pytest.raises(ConfigError, match=message):
        Claim(tmp_path).take()


def test_a_folder_below_a_file_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match="Not a directory"):
        Sandbox(tmp_path / "file" / "box").start()


def test_a_start_that_fails_leaves_no_folder_it_made(tmp_path: Path) -> None:
    with Sandbox() as other:
        taken = urlsplit(other.s3_url).netloc
        with pytest.raises(UnreachableError, match="cannot listen"):
            Sandbox(tmp_path / "new" / "box", s3=taken).start()
        (tmp_path / "empty").mkdir()
        with pytest.raises(UnreachableError, match="cannot listen"):
            Sandbox(tmp_path / "empty", s3=taken).start()
    assert [path.name for path in tmp_path.rglob("*")] == ["empty"]


def test_a_start_that_fails_leaves_what_a_sandbox_had(tmp_path: Path) -> None:
    with Sandbox(tmp_path / "box") as first:
        user = first.access_key
    with Sandbox() as other, pytest.raises(UnreachableError):
        Sandbox(tmp_path / "box", s3=urlsplit(other.s3_url).netloc).start()
    with Sandbox(tmp_path / "box") as again:
        assert again.access_key == user


@pytest.mark.parametrize("name", ["there", "with space", "größer"])
def test_a_sandbox_that_was_moved_works_where_it_is(tmp_path: Path, name: str) -> None:
    old, new = tmp_path / "böx", tmp_path / name
    with Sandbox(old) as first:
        lines = {
            "MINIO_KMS_KES_ENDPOINT": first.kes_url,
            "MINIO_KMS_KES_API_KEY": first.minio_api_key,
            "MINIO_KMS_KES_CAPATH": str(first.ca),
            "MINIO_KMS_KES_KEY_NAME": "my-key",
        }
        with first.home.env_file.open("a") as file:
            file.writelines(f"{name}={value}\n" for name, value in lines.items())
        first.restart_s3()
    old.rename(new)
    with Sandbox(new) as moved:
        assert moved.failure is None
        moved.restart_s3()
        capath = read_environment(moved.home.env_file)["MINIO_KMS_KES_CAPATH"]
        assert capath == str(new / "certs" / "ca.crt")
    assert not old.exists()
    assert json.loads((new / "sandbox.json").read_text())["path"] == str(new)


def test_only_paths_into_the_place_it_was_made_in_change(tmp_path: Path) -> None:
    home = Home(tmp_path / "new")
    home.path.mkdir()
    claim.write_mark(home.path)
    mark = home.path / "sandbox.json"
    mark.write_text(mark.read_text().replace(str(home.path), "/a/box"))
    before = "A=/a/box/ca.crt\nB=/z/a/box/ca.crt\nC=/a/boxes/ca.crt\nD=/a/box\n"
    home.env_file.write_text(before)
    claim.follow_move(home)
    assert home.env_file.read_text() == before.replace("A=/a/box", f"A={home.path}")


def test_a_copy_of_a_sandbox_names_none_of_the_first_one_s_files(tmp_path: Path) -> None:
    with Sandbox(tmp_path / "first"):
        pass
    shutil.copytree(tmp_path / "first", tmp_path / "second")
    with Sandbox(tmp_path / "second") as copy:
        assert str(tmp_path / "first") not in copy.home.kes_yml.read_text()
    assert str(tmp_path / "second") not in (tmp_path / "first" / "kes.yml").read_text()


def test_a_state_of_an_older_version_has_no_alias(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.state_file.write_text('{"pid": 1, "s3_url": "a", "kes_url": "b", "started": "c"}')
    assert home.read_state() == State(1, "a", "b", "c", alias="")
