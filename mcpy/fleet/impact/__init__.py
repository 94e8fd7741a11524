"""What would become unreadable if a key were locked or deleted, and how complete the answer is.

``report``  the answer, in a form that can be saved and be held against the clock
``measure`` one server asked for it, every version of every bucket
"""

from __future__ import annotations

from mcpy.fleet.impact.measure import Look, measure
from mcpy.fleet.impact.report import FRESH_S, Impact, ServerImpact, Verdict

__all__ = ["FRESH_S", "Impact", "Look", "ServerImpact", "Verdict", "measure"]
