"""The chain from a master key to an object: what seals what, and where each part lives.

``chain``  the links, and what locking or deleting the first of them does
``ask``    one object or one bucket, by what its server says
"""

from __future__ import annotations

from mcpy.fleet.explain.ask import Explanation, explain_bucket, explain_object
from mcpy.fleet.explain.chain import Facts, Stage, stages

__all__ = ["Explanation", "Facts", "Stage", "explain_bucket", "explain_object", "stages"]
