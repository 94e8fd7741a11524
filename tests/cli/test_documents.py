"""Documents in JSON or YAML, and what is said where YAML cannot be read."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from mcpy.cli import documents
from mcpy.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


def test_yaml_without_its_package_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert documents.parse('{"a": 1}', "stdin") == {"a": 1}
    with pytest.raises(ConfigError, match="stdin is not JSON") as error:
        documents.parse("a: 1", "stdin")
    assert error.value.hint == "pip install PyYAML"


@pytest.mark.parametrize("text", ["[" * 200_000, "[" * 5_000 + "a: b"])
def test_a_document_nested_too_deeply_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="the plan is n"):
        documents.parse(text, "the plan")


def test_a_pipe_in_a_folder_one_may_not_write_to_is_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    # root may write to every folder
    monkeypatch.setattr(os, "access", lambda path, _: str(path) == str(pipe))
    documents.check_writable(str(pipe), None)
    with pytest.raises(ConfigError, match="is no folder one may write to"):
        documents.check_writable(str(tmp_path / "new.csv"))


def test_a_folder_is_no_file_to_write(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="it is no file one may write to"):
        documents.check_writable(str(tmp_path))
