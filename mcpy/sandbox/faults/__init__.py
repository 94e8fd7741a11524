"""Faults on demand: slow, reset, truncated, busy, hung, full, keys that are gone and more.

They act between the wire and the servers: what a fault lets through is done in full, and what it
does not is not done at all, so that no fault leaves half an object.
"""

from mcpy.sandbox.faults.control import PATH, control
from mcpy.sandbox.faults.keys import without_keys
from mcpy.sandbox.faults.live import Faults
from mcpy.sandbox.faults.scene import ConnectionBroken
from mcpy.sandbox.faults.spec import KINDS, Fault, parse

__all__ = [
    "KINDS",
    "PATH",
    "ConnectionBroken",
    "Fault",
    "Faults",
    "control",
    "parse",
    "without_keys",
]
