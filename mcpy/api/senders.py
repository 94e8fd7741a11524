"""Which way requests go: over connections of our own, or through a given transport."""

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
    sender: Sender
    if options.transport:
        from mcpy.api.through_httpx import ThroughHttpx

        sender = ThroughHttpx(options.transport, **limits)
    else:
        from mcpy.api.dialing import Dialer
        from mcpy.api.wire import Wire

        proxy = proxy_for(base_url)
        sender = Wire(Dialer(context(), resolve=options.resolve, proxy=proxy, **limits), proxy)
    if not (options.upload or options.download):
        return sender
    from mcpy.api.throttle import Throttled

    return Throttled(sender, upload=options.upload, download=options.download)
