"""May a policy, or the identity of a client, do what MinIO does? Evaluated, or tried out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcpy import kespolicy
from mcpy.errors import KesError

if TYPE_CHECKING:
    from mcpy.api.kes import Kes


@dataclass(frozen=True)
class Found:
    """What was found of one of MinIO's calls; ``allowed`` is None where it cannot be told."""

    need: kespolicy.Need
    path: str
    allowed: bool | None
    rule: str = ""


def evaluate(policy: kespolicy.Policy, key: str = kespolicy.ANY_KEY) -> list[Found]:
    """Return what the rules of a policy decide on each call."""
    found = []
    for need in kespolicy.NEEDS:
        path = need.path.format(key=key)
        decision = kespolicy.decide(policy, path)
        found.append(Found(need, path, decision.allowed, decision.rule))
    return found


def try_out(client: Kes, key: str, *, any_key: bool) -> list[Found]:
    """Make each call so that it changes nothing, and return which are refused."""
    verdicts: dict[str, bool | None] = {}
    missing = any_key
    for need in kespolicy.NEEDS:
        if need.name == "create":
            continue  # harmless only once it is known whether the key is there
        status = _status(client, need, need.path.format(key=key))
        verdicts[need.name] = status != 403
        missing = missing or status == 404
    verdicts["create"] = _try_create(client, key, verdicts, missing=missing, any_key=any_key)
    return [
        Found(need, need.path.format(key=key), verdicts[need.name]) for need in kespolicy.NEEDS
    ]


def _try_create(
    client: Kes, key: str, verdicts: dict[str, bool | None], *, missing: bool, any_key: bool
) -> bool | None:
    """Try to make a key that is there, or one of a name that KES takes from nobody."""
    need = next(need for need in kespolicy.NEEDS if need.name == "create")
    seen = any(verdicts[name] for name in ("generate", "decrypt", "describe"))
    if seen and not missing:
        return _status(client, need, need.path.format(key=key)) != 403
    if _status(client, need, need.path.format(key=f"{key}.")) != 403:
        return True
    # a rule for exactly this key would allow it all the same
    return False if any_key else None


def _status(client: Kes, need: kespolicy.Need, path: str) -> int:
    try:
        client.probe(need.method, path, dict(need.body) if need.body else None)
    except KesError as e:
        return e.status
    return 200
