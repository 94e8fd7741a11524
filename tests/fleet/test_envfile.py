"""The environment file of a service: what is set changes, every other byte stays."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from mcpy.errors import ConfigError, InputError
from mcpy.fleet import envfile

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("plain", "N=plain"),
        ("https://a:1,https://b:2", "N=https://a:1,https://b:2"),
        ("with space", 'N="with space"'),
        ('a"b', 'N="a\\"b"'),
        ("a$b", 'N="a\\$b"'),
        ("a#b", 'N="a#b"'),
        ("a\\b", 'N="a\\\\b"'),
        ("", "N="),
    ],
)
def test_a_value_is_quoted_where_it_must_be(value: str, line: str) -> None:
    assert envfile.line("N", value) == line


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\0b"])
def test_a_line_break_cannot_be_written(value: str) -> None:
    with pytest.raises(InputError, match="the value of N holds a line break"):
        envfile.line("N", value)


def test_a_variable_changes_where_it_stands() -> None:
    text = "# the KES\nA=1\n\nexport B=2\nC=3\n"
    assert envfile.merged(text, {"B": "9", "D": "4"}) == (
        "# the KES\nA=1\n\nexport B=9\nC=3\nD=4\n"
    )


def test_a_variable_that_stands_twice_stands_once_afterwards() -> None:
    assert envfile.merged("A=1\nB=2\nA=3\n", {"A": "9"}) == "A=9\nB=2\n"


def test_line_ends_stay_what_they_are() -> None:
    assert envfile.merged("A=1\r\nB=2\r\n", {"A": "9"}) == "A=9\r\nB=2\r\n"


def test_a_commented_variable_is_a_comment() -> None:
    assert envfile.merged("#A=1\n", {"A": "9"}) == "#A=1\nA=9\n"


def test_a_last_line_without_its_end_stays_a_line() -> None:
    assert envfile.merged("A=1", {"B": "2"}) == "A=1\nB=2\n"


@pytest.mark.parametrize(
    ("there", "wanted"),
    [
        ("MINIO_KMS_KES_API_KEY", "MINIO_KMS_KES_KEY_FILE"),
        ("MINIO_KMS_KES_CERT_FILE", "MINIO_KMS_KES_API_KEY"),
        ("MINIO_KMS_SECRET_KEY", "MINIO_KMS_KES_ENDPOINT"),
    ],
)
def test_settings_that_would_end_the_server_are_refused(there: str, wanted: str) -> None:
    with pytest.raises(InputError, match=f"the file sets {there}, and {wanted} beside it"):
        envfile.merged(f"{there}=x\n", {wanted: "y"})


def test_a_new_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "minio.env"
    assert envfile.write(file, {"A": "1"})
    assert file.read_text() == "A=1\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_file_keeps_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "minio.env"
    file.write_text("B=2\n")
    file.chmod(0o640)
    assert envfile.write(file, {"A": "1"})
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_a_file_that_holds_all_is_not_touched(tmp_path: Path) -> None:
    file = tmp_path / "minio.env"
    file.write_text("A=1\n")
    before = file.stat()
    assert not envfile.write(file, {"A": "1"})
    assert file.stat().st_ino == before.st_ino


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    file, link = tmp_path / "minio.env", tmp_path / "link"
    file.write_text("B=2\n")
    link.symlink_to(file)
    envfile.write(link, {"A": "1"})
    assert link.is_symlink()
    assert file.read_text() == "B=2\nA=1\n"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    file = tmp_path / "none" / "minio.env"
    with pytest.raises(ConfigError, match=r"cannot write .*: No such file or directory"):
        envfile.write(file, {"A": "1"})


def test_a_file_that_is_no_text_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "minio.env"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="is not a text file"):
        envfile.write(file, {"A": "1"})
    assert file.read_bytes() == b"\xff\xfe\x00"
