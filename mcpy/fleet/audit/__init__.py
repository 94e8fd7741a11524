"""What is encrypted and how: every version counted by scheme and key, held against a requirement.

``requirement`` what every object has to be
``tally``       the counts of one bucket or prefix, and the versions worth naming
``count``       versions of several folders at a time, each counted once
``run``         one bucket or prefix, streamed
``state``       how far an audit is, in a file, so that it can go on
"""

from __future__ import annotations

from mcpy.fleet.audit.requirement import Requirement
from mcpy.fleet.audit.run import AuditedTarget, Watch, Wish, audit_target
from mcpy.fleet.audit.state import AuditState
from mcpy.fleet.audit.tally import Count, Group, Tally

__all__ = [
    "AuditState",
    "AuditedTarget",
    "Count",
    "Group",
    "Requirement",
    "Tally",
    "Watch",
    "Wish",
    "audit_target",
]
