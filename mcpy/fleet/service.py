"""Stop, freeze and unfreeze a deployment, and see that it happened."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mcpy.errors import ApiError, DeadlineError, UnreachableError
from mcpy.fleet.restart import POLL_S, answers_s3, look

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcpy.api.http import Deadline
    from mcpy.api.madmin import MinioAdmin
    from mcpy.api.s3 import S3

# a frozen server is silent: what answers within this was not frozen
FROZEN_AFTER_S = 1.5
_LOOKS, _LOOK_AGAIN_S = 4, 0.1


def stop(
    admin: MinioAdmin, deadline: Deadline, *, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Stop every node, and return when none listens, or each is a new process.

    Raises:
        DeadlineError: it still answers as before.
    """
    _, before = look(admin, time.monotonic)
    admin.service("stop")
    while deadline.left_s() > 0:
        sleep(POLL_S)
        try:
            with admin.http.patience(2):
                _, after = look(admin, time.monotonic)
        except DeadlineError:
            continue  # silence is no proof
        except UnreachableError:
            return
        except ApiError:
            continue
        if after and all(after[n].reborn_since(before[n]) for n in before.keys() & after.keys()):
            return  # its service manager started it again
    raise DeadlineError(f"{admin.http.where} was asked to stop, and still answers")


def freeze(admin: MinioAdmin, s3: S3, *, sleep: Callable[[float], None] = time.sleep) -> bool:
    """Freeze every node; return whether S3 takes a call and is silent afterwards."""
    admin.service("freeze")
    for _ in range(_LOOKS):
        try:
            with s3.http.patience(FROZEN_AFTER_S):
                s3.list_buckets()
        except DeadlineError:
            return True
        except ApiError:
            pass
        sleep(_LOOK_AGAIN_S)  # a node answers before it acts
    return False


def unfreeze(admin: MinioAdmin, s3: S3) -> bool:
    """Undo one freeze on every node; return whether S3 answers afterwards."""
    admin.service("unfreeze")
    return answers_s3(s3)
