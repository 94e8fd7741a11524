"""AWS's UpdateObjectEncryption as the way objects get under another key.

Written from AWS's public description of the call, and tested by the requests that are sent: it was
not run against AWS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcpy.api.s3aws import update_object_encryption
from mcpy.api.s3info import Copied
from mcpy.errors import InputError
from mcpy.fleet.rewrite.job import Abilities
from mcpy.fleet.rewrite.onto import Limits
from mcpy.models import KEY_ARN

if TYPE_CHECKING:
    from mcpy.fleet.rewrite.onto import Order
    from mcpy.fleet.rewrite.snapshot import Snapshot
    from mcpy.fleet.transfer.place import Place

# each version is changed where it is, whatever its size; its context stays with it
ABILITIES = Abilities(
    in_place=True, tells_etag=True, tells_tags=True, tells_context=True, suspended=True
)
LIMITS = Limits(single=2**63)


def check_arn(key: str) -> None:
    """Refuse a key that is not named in full.

    Raises:
        InputError: AWS takes neither a key's id nor its alias here.
    """
    if not KEY_ARN.fullmatch(key):
        raise InputError(
            f"AWS needs the whole ARN of a key, and `{key}` is none",
            hint="--to arn:aws:kms:REGION:ACCOUNT:key/ID",
        )


def change(place: Place, before: Snapshot, order: Order) -> Copied:
    """Change the encryption of one version; as a copy onto itself, with its ETag kept."""
    bucket, key = place.at
    update_object_encryption(
        place.s3, bucket, key, order.encryption.key_id, version_id=place.version_id
    )
    return Copied(before.etag, "")
