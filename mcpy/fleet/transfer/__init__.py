"""Move objects between files and servers, and see that they arrived as asked.

Rules: an upload's bytes are hashed before they go, so the server refuses what changed on the way;
what was stored is looked at again, and an object that is not encrypted as asked is an error. A
download goes to a hidden file beside its target and takes its name when it is whole. A copy on
the server always names its encryption. Whatever ends early leaves nothing behind, unless it was
asked to be resumable.
"""

from mcpy.fleet.parallel import Stop, each
from mcpy.fleet.transfer.copy import copy
from mcpy.fleet.transfer.download import download, pour
from mcpy.fleet.transfer.fetch import Span
from mcpy.fleet.transfer.place import Checksum, Limits, Pace, Place, Wish, covers, existing
from mcpy.fleet.transfer.remove import remove_all, remove_bucket_contents
from mcpy.fleet.transfer.upload import upload, upload_stream

__all__ = [
    "Checksum",
    "Limits",
    "Pace",
    "Place",
    "Span",
    "Stop",
    "Wish",
    "copy",
    "covers",
    "download",
    "each",
    "existing",
    "pour",
    "remove_all",
    "remove_bucket_contents",
    "upload",
    "upload_stream",
]
