"""Users and policies: made, listed, changed and removed by administrators."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from mcpy.sandbox.admin.call import answer_json
from mcpy.sandbox.admin.sealed import SealError, seal, unseal
from mcpy.sandbox.message import Response
from mcpy.sandbox.s3.errors import S3Problem, go_json
from mcpy.sandbox.s3.identities import CANNED, UnknownPolicyError, UnknownUserError, names_of

if TYPE_CHECKING:
    from mcpy.sandbox.admin.call import AdminCall
    from mcpy.sandbox.s3.identities import Document, User

MIN_ACCESS_KEY, MIN_SECRET_KEY = 3, 8


def add_user(call: AdminCall) -> Response:
    """Make a user, or give one a new secret."""
    name = call.param("accessKey")
    if name in call.identities.root:
        text = "Credential is not allowed to be same as admin access key"
        raise S3Problem("XMinioInvalidIAMCredentials", 403, text)
    asked = _opened(call)
    secret = str(asked.get("secretKey", ""))
    if len(name) < MIN_ACCESS_KEY:
        text = "The access key is invalid. (access key length should be between 3 and 20)"
        raise S3Problem("XMinioAdminInvalidAccessKey", 400, text)
    if len(secret) < MIN_SECRET_KEY:
        text = "The secret key is invalid. (secret key length should be between 8 and 40)"
        raise S3Problem("XMinioAdminInvalidSecretKey", 400, text)
    call.identities.put_user(name, secret, enabled=asked.get("status") != "disabled")
    if asked.get("policy"):
        _change(call, name, policies=names_of(str(asked["policy"])))
    return Response(200)


def remove_user(call: AdminCall) -> Response:
    """Forget a user."""
    name = call.param("accessKey")
    if name in call.identities.root or name == call.caller.access_key:
        text = "Specified IAM action is not allowed."
        raise S3Problem("XMinioIAMActionNotAllowed", 403, text)
    try:
        call.identities.remove_user(name)
    except UnknownUserError as e:
        raise _no_user() from e
    return Response(200)


def set_user_status(call: AdminCall) -> Response:
    """Let a user in, or not."""
    name, status = call.param("accessKey"), call.param("status")
    if name == call.caller.access_key or status not in {"enabled", "disabled"}:
        raise S3Problem.of("XMinioAdminInvalidArgument")
    _change(call, name, enabled=status == "enabled")
    return Response(200)


def list_users(call: AdminCall) -> Response:
    """Answer all users, sealed."""
    found = {name: _shown(user) for name, user in sorted(call.identities.users.items())}
    return _sealed(call, found)


def user_info(call: AdminCall) -> Response:
    """Answer one user."""
    user = call.identities.users.get(call.param("accessKey"))
    if user is None:
        raise _no_user()
    return answer_json(_shown(user))


def _shown(user: User) -> Document:
    policies = {"policyName": ",".join(user.policies)} if user.policies else {}
    status = "enabled" if user.enabled else "disabled"
    return {**policies, "status": status, "updatedAt": user.updated}


# which policies a user has


def attach_policies(call: AdminCall) -> Response:
    """Give a user policies it has not."""
    return _associate(call, attach=True)


def detach_policies(call: AdminCall) -> Response:
    """Take policies from a user."""
    return _associate(call, attach=False)


def _associate(call: AdminCall, *, attach: bool) -> Response:
    asked = _opened(call)
    name = str(asked.get("user") or "")
    wanted = tuple(str(policy) for policy in asked.get("policies") or ())
    if not name or not wanted:
        raise S3Problem.of("XMinioAdminInvalidArgument")
    user = call.identities.users.get(name)
    if user is None:
        raise _no_user()
    changed = [policy for policy in wanted if (policy in user.policies) != attach]
    if not changed:
        text = "The specified policy change is already in effect."
        raise S3Problem("XMinioAdminPolicyChangeAlreadyApplied", 400, text)
    kept = tuple(policy for policy in user.policies if policy not in changed)
    _change(call, name, policies=(*kept, *changed) if attach else kept)
    word = "policiesAttached" if attach else "policiesDetached"
    return _sealed(call, {word: changed, "updatedAt": call.identities.users[name].updated})


def set_policies(call: AdminCall) -> Response:
    """Give a user these policies and no others: the older way."""
    if call.param("isGroup").lower() == "true":
        raise S3Problem.of("NotImplemented")
    _change(call, call.param("userOrGroup"), policies=names_of(call.param("policyName")))
    return Response(200)


def policy_entities(call: AdminCall) -> Response:
    """Answer which users have which policies, sealed."""
    users = sorted(call.identities.users.items())
    wanted = [value for name, value in call.request.query if name == "user"]
    mappings = [
        {"user": name, "policies": list(user.policies)}
        for name, user in users
        if user.policies and (not wanted or name in wanted)
    ]
    answer: Document = {"timestamp": call.services.now().isoformat().replace("+00:00", "Z")}
    return _sealed(call, answer | ({"userMappings": mappings} if mappings else {}))


# policies


def add_policy(call: AdminCall) -> Response:
    """Make a policy, or change one."""
    try:
        document = json.loads(call.body())
        statements = document["Statement"]
        sound = all(item["Effect"] in {"Allow", "Deny"} for item in statements)
    except (ValueError, TypeError, LookupError) as e:
        raise S3Problem("MalformedPolicy", 400, f"Policy has invalid resource. ({e})") from e
    if not sound:
        raise S3Problem("MalformedPolicy", 400, "Policy has invalid effect.")
    call.identities.put_policy(call.param("name"), document)
    return Response(200)


def remove_policy(call: AdminCall) -> Response:
    """Forget a policy; one that is not there is none to forget."""
    name = call.param("name")
    if name in CANNED:
        raise S3Problem.internal(f"inbuilt policy `{name}` not allowed to be deleted")
    if any(name in user.policies for user in call.identities.users.values()):
        text = "The policy cannot be removed, as it is in use"
        raise S3Problem("XMinioIAMPolicyInUse", 400, text)
    with suppress(UnknownPolicyError):
        call.identities.remove_policy(name)
    return Response(200)


def list_policies(call: AdminCall) -> Response:
    """Answer all policies."""
    return answer_json(dict(sorted(call.identities.policies.items())))


def policy_info(call: AdminCall) -> Response:
    """Answer one policy, with its name where version 2 is asked for."""
    name = call.param("name")
    document = call.identities.policies.get(name)
    if document is None:
        raise _no_policy()
    named = call.param("v") == "2"
    return answer_json({"PolicyName": name, "Policy": document} if named else document)


def _change(
    call: AdminCall,
    name: str,
    *,
    enabled: bool | None = None,
    policies: tuple[str, ...] | None = None,
) -> None:
    try:
        call.identities.change_user(name, enabled=enabled, policies=policies)
    except UnknownUserError as e:
        raise _no_user() from e
    except UnknownPolicyError as e:
        raise _no_policy() from e


def _no_user() -> S3Problem:
    text = "The specified user does not exist. (Specified user does not exist)"
    return S3Problem("XMinioAdminNoSuchUser", 404, text)


def _no_policy() -> S3Problem:
    text = "The canned policy does not exist. (Specified canned policy does not exist)"
    return S3Problem("XMinioAdminNoSuchPolicy", 404, text)


def _opened(call: AdminCall) -> dict[str, Any]:
    try:
        asked = json.loads(unseal(call.body(), call.caller.secret_key))
    except (SealError, ValueError) as e:
        raise S3Problem.of("XMinioAdminConfigBadJSON") from e
    if not isinstance(asked, dict):
        raise S3Problem.of("XMinioAdminConfigBadJSON")
    return asked


def _sealed(call: AdminCall, value: object) -> Response:
    headers = [("Content-Type", "application/json")]
    return Response(200, headers, seal(go_json(value), call.caller.secret_key))
