"""Documents in JSON or YAML, and what is said where YAML cannot be read."""

from __future__ import annotations

import sys

import pytest

from mcpy.cli import documents
from mcpy.errors import ConfigError


def test_yaml_without_its_package_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert documents.parse('{"a": 1}', "stdin") == {"a": 1}
    with pytest.raises(ConfigError, match="stdin is not JSON") as error:
        documents.parse("a: 1", "stdin")
    assert error.value.hint == "pip install PyYAML"
