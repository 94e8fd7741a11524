"""Rules for the address of a keystore, of whatever provider.

What KES does with each form was measured with a real one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mcpy.kesconf.document import endpoint_fault
from mcpy.kesconf.findings import error, info
from mcpy.kesconf.stores import SECTIONS
from mcpy.models import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mcpy.kesconf.document import Node
    from mcpy.kesconf.findings import Finding, Subject

# Google's may not be set at all, and a folder has none: rules of their own
_PROVIDERS = ("vault", "aws", "azure", "ciphertrust", "fortanix", "entrust")


def _endpoints(subject: Subject) -> Iterator[Finding]:
    for provider in _PROVIDERS:
        node = subject.root.at(f"keystore.{SECTIONS[provider]}.endpoint")
        if endpoint := subject.of(node):
            yield from _endpoint(node, endpoint, provider)


def _endpoint(node: Node, endpoint: str, provider: str) -> Iterator[Finding]:
    if fault := endpoint_fault(endpoint):
        yield error(node, fault, "https://HOST[:PORT]")
        return
    scheme, _, rest = endpoint.rpartition("://")
    if provider == "vault" and "/" in rest.rstrip("/"):
        yield error(node, "KES does not start: a path after the host", "https://HOST[:PORT]")
    if provider == "azure" and scheme != "https":
        yield error(node, "Azure gives no token for it: https:// is missing")
    elif not scheme and provider != "aws":  # of AWS a bare host is one with TLS
        yield error(node, "KES does not start: no https:// in front", f"https://{endpoint}")
    elif scheme not in {"", "http", "https"}:
        yield error(node, f"KES does not start: it does not speak `{scheme}`", "https://")
    elif scheme == "http" and is_loopback(urlsplit(endpoint).hostname or ""):
        yield info(node, "without TLS, on loopback")
    elif scheme == "http":
        message = "without TLS: keys and tokens cross the network in the clear"
        yield error(node, message, "https://")


RULES: tuple[Callable[[Subject], Iterator[Finding]], ...] = (_endpoints,)
