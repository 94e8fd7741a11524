"""An entry as KES writes it, which the tests of every keystore store and read."""

from __future__ import annotations

from mcpy.keystores.entry import KeyEntry

VALUE = KeyEntry.of(bytes(32), now_ns=1).encode()
