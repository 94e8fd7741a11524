"""What is stored in a bucket, and how each object and version says it is encrypted.

    scan(s3, "bucket")  ->  Item, Item, ...      in key order, newest version first

``item``    what is known of one version, and how far
``listing`` pages with metadata, and the way around a page that fails
``naming``  the name of an object that makes every listing fail
``head``    the state of an object that a listing does not tell
``split``   the folders that can be listed at the same time
``scan``    all of it together, streamed: a million objects take no more memory than a thousand
"""

from __future__ import annotations

from mcpy.fleet.inventory.item import Item, State
from mcpy.fleet.inventory.listing import KmsDownError, NoVersionsError
from mcpy.fleet.inventory.scan import batches, resolved, scan
from mcpy.fleet.inventory.split import Split, split

__all__ = [
    "Item",
    "KmsDownError",
    "NoVersionsError",
    "Split",
    "State",
    "batches",
    "resolved",
    "scan",
    "split",
]
