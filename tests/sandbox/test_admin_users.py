"""Users and policies over the admin API, as `mc admin user` and `mc admin policy` ask for them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from mcpy.sandbox.admin.sealed import seal, unseal
from tests.sandbox.admin_calls import content, server, signed

if TYPE_CHECKING:
    from pathlib import Path

    from mcpy.sandbox.admin import AdminApp
    from mcpy.sandbox.message import Response

ADMIN = "/minio/admin/v3/"
SECRET = "minioadmin"


@pytest.fixture
def app(tmp_path: Path) -> AdminApp:
    return server(None, tmp_path)


def send(app: AdminApp, method: str, path: str, query: str = "", body: object = None) -> Response:
    raw = b"" if body is None else seal(json.dumps(body).encode(), SECRET)
    return app(signed(method, ADMIN + path, query, raw))


def add(app: AdminApp, name: str = "reader", **more: str) -> int:
    body = {"secretKey": "throw-away", "status": "enabled", **more}
    return send(app, "PUT", "add-user", f"accessKey={name}", body).status


def opened(response: Response) -> Any:  # noqa: ANN401 - parsed JSON
    assert response.status == 200, content(response)
    return json.loads(unseal(content(response), SECRET))


def code(response: Response) -> str:
    return str(json.loads(content(response))["Code"])


def test_users_come_and_go(app: AdminApp) -> None:
    assert add(app) == 200
    assert opened(send(app, "GET", "list-users"))["reader"]["status"] == "enabled"
    assert send(app, "PUT", "set-user-status", "accessKey=reader&status=disabled").status == 200
    info = json.loads(content(send(app, "GET", "user-info", "accessKey=reader")))
    assert info["status"] == "disabled"
    assert send(app, "DELETE", "remove-user", "accessKey=reader").status == 200
    assert opened(send(app, "GET", "list-users")) == {}
    assert code(send(app, "GET", "user-info", "accessKey=reader")) == "XMinioAdminNoSuchUser"
    assert code(send(app, "DELETE", "remove-user", "accessKey=reader")) == "XMinioAdminNoSuchUser"


def test_users_are_refused(app: AdminApp) -> None:
    assert add(app, "minioadmin") == 403
    assert add(app, "ab") == 400
    assert add(app, secretKey="short") == 400
    assert add(app, policy="nope") == 404
    assert send(app, "PUT", "add-user", "accessKey=some", []).status == 400
    assert app(signed("PUT", f"{ADMIN}add-user", "accessKey=some", b"open")).status == 400
    assert send(app, "DELETE", "remove-user", "accessKey=minioadmin").status == 403
    status = "accessKey=minioadmin&status=disabled"
    assert send(app, "PUT", "set-user-status", status).status == 400


def test_policies_are_attached_and_detached(app: AdminApp) -> None:
    add(app)
    body = {"policies": ["readwrite"], "user": "reader"}
    attach, detach = "idp/builtin/policy/attach", "idp/builtin/policy/detach"
    assert opened(send(app, "POST", attach, body=body))["policiesAttached"] == ["readwrite"]
    again = send(app, "POST", attach, body=body)
    assert code(again) == "XMinioAdminPolicyChangeAlreadyApplied"
    assert opened(send(app, "GET", "list-users"))["reader"]["policyName"] == "readwrite"
    mappings = opened(send(app, "GET", "idp/builtin/policy-entities", "user=reader"))
    assert mappings["userMappings"] == [{"user": "reader", "policies": ["readwrite"]}]
    inbuilt = send(app, "DELETE", "remove-canned-policy", "name=readwrite")
    assert (code(inbuilt), inbuilt.status) == ("InternalError", 500)
    assert b"inbuilt policy `readwrite` not allowed to be deleted" in content(inbuilt)
    assert opened(send(app, "POST", detach, body=body))["policiesDetached"] == ["readwrite"]
    wrong = {**body, "policies": ["nope"]}
    assert code(send(app, "POST", attach, body=wrong)) == "XMinioAdminNoSuchPolicy"
    assert code(send(app, "POST", attach, body={**body, "user": "x"})) == "XMinioAdminNoSuchUser"
    assert send(app, "POST", attach, body={"user": "reader"}).status == 400
    query = "policyName=readonly,writeonly&userOrGroup=reader&isGroup=false"
    assert send(app, "PUT", "set-user-or-group-policy", query).status == 200
    assert app.identities.users["reader"].policies == ("readonly", "writeonly")
    group = query.replace("isGroup=false", "isGroup=true")
    assert send(app, "PUT", "set-user-or-group-policy", group).status == 501


def test_policies_are_made_shown_and_removed(app: AdminApp) -> None:
    statement = {"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::a/*"]}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    raw = json.dumps(document).encode()
    assert app(signed("PUT", f"{ADMIN}add-canned-policy", "name=mine", raw)).status == 200
    listed = json.loads(content(send(app, "GET", "list-canned-policies")))
    assert {"mine", "readonly", "consoleAdmin"} <= listed.keys()
    info = send(app, "GET", "info-canned-policy", "name=mine&v=2")
    assert json.loads(content(info)) == {"PolicyName": "mine", "Policy": document}
    assert json.loads(content(send(app, "GET", "info-canned-policy", "name=mine"))) == document
    assert send(app, "DELETE", "remove-canned-policy", "name=mine").status == 200
    assert send(app, "DELETE", "remove-canned-policy", "name=mine").status == 200
    gone = send(app, "GET", "info-canned-policy", "name=mine")
    assert (code(gone), gone.status) == ("XMinioAdminNoSuchPolicy", 404)
    assert b"(Specified canned policy does not exist)" in content(gone)
    assert app(signed("PUT", f"{ADMIN}add-canned-policy", "name=used", raw)).status == 200
    add(app, policy="used")
    used = send(app, "DELETE", "remove-canned-policy", "name=used")
    assert (code(used), used.status) == ("XMinioIAMPolicyInUse", 400)
    for bad in (b"{", b"[]", json.dumps({"Statement": [{"Effect": "Maybe"}]}).encode()):
        assert app(signed("PUT", f"{ADMIN}add-canned-policy", "name=bad", bad)).status == 400


def test_users_are_no_administrators_unless_a_policy_says_so(app: AdminApp) -> None:
    add(app, "minioadmin-2")
    app.identities.root.clear()
    app.identities.put_user("minioadmin", SECRET, enabled=True)
    assert code(send(app, "GET", "list-users")) == "AccessDenied"
    assert code(app(signed("GET", "/minio/kms/v1/status"))) == "AccessDenied"
    app.identities.change_user("minioadmin", policies=("consoleAdmin",))
    assert "minioadmin-2" in opened(send(app, "GET", "list-users"))
