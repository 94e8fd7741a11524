"""An embedded KES and S3 server with real envelope encryption; not for production.

    from mcpy.sandbox import Sandbox

    with Sandbox(kms_key="my-key") as play:
        ...  # play.s3_url, play.kes_url, play.client_kwargs(), play.env()

docs/sandbox.md has more, pytest fixtures among it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mcpy.sandbox.play import Sandbox

__all__ = ["Sandbox"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - what is asked for
    # when it is used and not before: pytest imports this package in every run
    if name == "Sandbox":
        from mcpy.sandbox.play import Sandbox

        return Sandbox
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
