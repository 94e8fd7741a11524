"""Sandboxes for anybody's pytest suite; pytest finds this by itself where mcpy is installed.

``mcpy_sandbox``          a sandbox of the test's own, as its marker ``mcpy_sandbox(...)`` says
``mcpy_sandbox_session``  one for all tests of a run (with xdist, of a worker)
``mcpy_sandbox_factory``  starts as many as a test wants: ``mcpy_sandbox_factory(like="garage")``
``mcpy_sandbox_options``  what ``mcpy_sandbox_session`` is started with; to be overridden

All take the arguments of ``mcpy.sandbox.Sandbox``. Unless told otherwise the S3 server has the
KES for its KMS, with the default key ``my-key``. Nothing is imported or started before a test
asks for it.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcpy.sandbox.play import Sandbox

DEFAULTS: dict[str, Any] = {"kms_key": "my-key"}
MARKER = "mcpy_sandbox"


class SandboxFactory(Protocol):
    """Starts sandboxes that end with the test."""

    def __call__(self, **options: Any) -> Sandbox:  # noqa: ANN401 - those of Sandbox
        """Return a new sandbox that runs."""
        ...


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    text = f"{MARKER}(**options): what the fixture `mcpy_sandbox` is started with"
    config.addinivalue_line("markers", text)


@pytest.fixture
def mcpy_sandbox_factory() -> Iterator[SandboxFactory]:
    """Start sandboxes, each in a folder of its own that is removed with it."""
    from mcpy.sandbox.play import Sandbox

    with ExitStack() as running:

        def start(**options: Any) -> Sandbox:  # noqa: ANN401 - those of Sandbox
            return running.enter_context(Sandbox(**{**DEFAULTS, **options}))

        yield start


@pytest.fixture
def mcpy_sandbox(request: pytest.FixtureRequest, mcpy_sandbox_factory: SandboxFactory) -> Sandbox:
    """Return a sandbox of the test's own: empty, and gone afterwards."""
    markers = list(request.node.iter_markers(MARKER))
    options = {key: value for marker in reversed(markers) for key, value in marker.kwargs.items()}
    return mcpy_sandbox_factory(**options)


@pytest.fixture(scope="session")
def mcpy_sandbox_options() -> dict[str, Any]:
    """Return what ``mcpy_sandbox_session`` is started with; override it in a conftest.py."""
    return {}


@pytest.fixture(scope="session")
def mcpy_sandbox_session(mcpy_sandbox_options: dict[str, Any]) -> Iterator[Sandbox]:
    """Keep one sandbox for the whole run; tests share what they store in it."""
    from mcpy.sandbox.play import Sandbox

    with Sandbox(**{**DEFAULTS, **mcpy_sandbox_options}) as running:
        yield running
