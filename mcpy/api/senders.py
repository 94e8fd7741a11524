"""Which way requests go: by `http.client` over a pool of ours, or through a transport of httpx."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcpy.api.proxy import proxy_for

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from mcpy.api.call import HttpOptions, Sender


def sender_for(
    base_url: str, options: HttpOptions, context: Callable[[], ssl.SSLContext | None]
) -> Sender:
    """Return what sends to ``base_url``; ``context`` is asked for where TLS is ours to speak."""
    limits = {"idle_s": options.idle_s, "connect_s": options.connect_s}
    proxy = None if options.transport else proxy_for(base_url)
    if not (options.transport or proxy or options.upload or options.download):
        from mcpy.api.wire import Wire

        return Wire(context(), resolve=options.resolve, **limits)
    from mcpy.api.throttled import throttled
    from mcpy.api.through_httpx import ThroughHttpx
    from mcpy.api.transport import Transport

    transport = options.transport or Transport(context(), resolve=options.resolve, proxy=proxy)
    return ThroughHttpx(
        throttled(transport, upload=options.upload, download=options.download), **limits
    )
