"""The admin API: finds the handler, asks for a signature, words what went wrong.

As on the real server an unknown path is refused before anybody looks at the signature: with 426
below ``/minio/admin``, with 400 below ``/minio/kms``. What fails before a handler is XML even
here; what a handler reports is JSON.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, NamedTuple

from mcpy.sandbox.admin import batch_endpoints as batch
from mcpy.sandbox.admin import config_endpoints as config
from mcpy.sandbox.admin import health, info, kms, prometheus, service, users
from mcpy.sandbox.admin.batch import BatchEngine, Jobs
from mcpy.sandbox.admin.call import AdminCall, Services
from mcpy.sandbox.admin.config import ConfigStore
from mcpy.sandbox.packing import pack
from mcpy.sandbox.s3.auth import authenticate
from mcpy.sandbox.s3.errors import S3Problem, new_request_id, render, server_headers
from mcpy.sandbox.s3.identities import Identities
from mcpy.sandbox.s3.policy import allows_user

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mcpy.sandbox.admin.call import AdminHandler
    from mcpy.sandbox.admin.deployment import Deployment
    from mcpy.sandbox.kms import Kms
    from mcpy.sandbox.message import Request, Response
    from mcpy.sandbox.s3.errors import Form

ADMIN = "/minio/admin/v3/"
KMS = "/minio/kms/v1/"


class Route(NamedTuple):
    """A handler, and the query parameters a request must have to reach it."""

    handler: AdminHandler
    needs: tuple[str, ...] = ()


ROUTES: dict[str, tuple[Route, ...]] = {
    f"GET {ADMIN}info": (Route(info.server_info),),
    f"GET {ADMIN}storageinfo": (Route(info.storage_info),),
    f"GET {ADMIN}datausageinfo": (Route(info.data_usage),),
    f"GET {ADMIN}accountinfo": (Route(info.account_info),),
    f"POST {ADMIN}service": (
        Route(service.service_v2, ("action", "type=2")),
        Route(service.service_v1, ("action",)),
    ),
    f"GET {ADMIN}get-config-kv": (Route(config.get_config, ("key",)),),
    f"PUT {ADMIN}set-config-kv": (Route(config.set_config),),
    f"DELETE {ADMIN}del-config-kv": (Route(config.reset_config),),
    f"GET {ADMIN}help-config-kv": (Route(config.help_config, ("subSys", "key")),),
    f"GET {ADMIN}config": (Route(config.export_config),),
    f"PUT {ADMIN}config": (Route(config.import_config),),
    f"GET {ADMIN}list-config-history-kv": (Route(config.history, ("count",)),),
    f"PUT {ADMIN}restore-config-history-kv": (Route(config.restore_history, ("restoreId",)),),
    f"DELETE {ADMIN}clear-config-history-kv": (Route(config.clear_history, ("restoreId",)),),
    f"POST {ADMIN}start-job": (Route(batch.start_job),),
    f"GET {ADMIN}list-jobs": (Route(batch.list_jobs),),
    f"GET {ADMIN}status-job": (Route(batch.status_job),),
    f"GET {ADMIN}describe-job": (Route(batch.describe_job),),
    f"DELETE {ADMIN}cancel-job": (Route(batch.cancel_job),),
    f"GET {ADMIN}metrics": (Route(batch.metrics),),
    f"PUT {ADMIN}add-user": (Route(users.add_user, ("accessKey",)),),
    f"DELETE {ADMIN}remove-user": (Route(users.remove_user, ("accessKey",)),),
    f"PUT {ADMIN}set-user-status": (Route(users.set_user_status, ("accessKey", "status")),),
    f"GET {ADMIN}list-users": (Route(users.list_users),),
    f"GET {ADMIN}user-info": (Route(users.user_info, ("accessKey",)),),
    f"POST {ADMIN}idp/builtin/policy/attach": (Route(users.attach_policies),),
    f"POST {ADMIN}idp/builtin/policy/detach": (Route(users.detach_policies),),
    f"GET {ADMIN}idp/builtin/policy-entities": (Route(users.policy_entities),),
    f"PUT {ADMIN}set-user-or-group-policy": (Route(users.set_policies, ("policyName",)),),
    f"PUT {ADMIN}add-canned-policy": (Route(users.add_policy, ("name",)),),
    f"DELETE {ADMIN}remove-canned-policy": (Route(users.remove_policy, ("name",)),),
    f"GET {ADMIN}list-canned-policies": (Route(users.list_policies),),
    f"GET {ADMIN}info-canned-policy": (Route(users.policy_info, ("name",)),),
    f"POST {ADMIN}kms/status": (Route(kms.status),),
    f"POST {ADMIN}kms/key/create": (Route(kms.create_key, ("key-id",)),),
    f"GET {ADMIN}kms/key/status": (Route(kms.key_status),),
    f"GET {KMS}status": (Route(kms.status),),
    f"GET {KMS}version": (Route(kms.version),),
    f"GET {KMS}apis": (Route(kms.apis),),
    f"GET {KMS}metrics": (Route(kms.metrics),),
    f"GET {KMS}key/list": (Route(kms.list_keys, ("pattern",)),),
    f"POST {KMS}key/create": (Route(kms.create_key, ("key-id",)),),
    f"GET {KMS}key/status": (Route(kms.key_status),),
}


class AdminApp:
    """The admin, KMS and health API of one run of the server.

    Args:
        kms: the server's KMS, or None.
        credentials: secret key by access key; all but users are administrators.
        deployment: what the server knows of itself.
        on_service: called with ``restart`` or ``stop`` after the answer was sent.
        engine: does batch jobs; None refuses them.
        log: gets what a batch job did not expect.
    """

    def __init__(
        self,
        *,
        kms: Kms | None,
        credentials: Mapping[str, str],
        deployment: Deployment,
        on_service: Callable[[str], None],
        engine: BatchEngine | None = None,
        log: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.deployment = deployment
        self.identities = (
            credentials if isinstance(credentials, Identities) else Identities(credentials)
        )
        self.host_id = hashlib.sha256(deployment.deployment_id.encode()).hexdigest()
        self.services = Services(
            kms,
            deployment,
            ConfigStore(deployment.config_file),
            Jobs(engine, deployment.now, log),
            on_service,
        )
        deployment.on_stop.append(self.services.jobs.stop)

    def __call__(self, request: Request) -> Response:
        """Answer one request."""
        request_id = new_request_id()
        region = self.deployment.region
        try:
            response = self._answer(request)
        except S3Problem as problem:
            if problem.code == "XMinioAdminVersionMismatch":
                return _bare(render(problem, request, "", "", form="json"))
            if not problem.routed and problem.code == "BadRequest":
                return _bare(render(problem, request, "", ""))
            handled = problem.routed and not request.path.startswith("/minio/health/")
            form: Form = "json" if handled else "xml"
            return render(problem, request, request_id, self.host_id, form=form, region=region)
        health_check = request.path.startswith("/minio/health/")
        response.headers[:0] = server_headers(
            request_id, self.host_id, region=region, negotiated=not health_check
        )
        return pack(request, response)

    def stop(self) -> None:
        """End batch jobs and whatever waits for the server to be thawed."""
        self.deployment.stop()

    def _answer(self, request: Request) -> Response:
        if request.path.startswith("/minio/health/"):
            return health.check(request, self.services.kms)
        if prometheus.is_asked(request):
            return prometheus.answer(request, self.services, self.identities)
        handler = _find(request)
        if request.headers.get("authorization", "").startswith("AWS "):
            raise S3Problem.of("AccessDenied")
        caller = authenticate(request, self.identities, self.deployment.now())
        self.deployment.requests += 1
        area = "kms" if request.path.startswith("/minio/kms/") else "admin"
        # a policy allows all of an area or nothing: finer names are not told apart here
        whole = area if handler is not info.account_info else ""
        if whole and not allows_user(self.identities, caller.access_key, request, f"{area}:*", ""):
            raise S3Problem.of("AccessDenied")
        return handler(AdminCall(request, caller, self.services, self.identities))


def _find(request: Request) -> AdminHandler:
    for route in ROUTES.get(f"{request.method} {request.path}", ()):
        if all(_has(request, need) for need in route.needs):
            return route.handler
    if not f"{request.path}/".startswith("/minio/admin/"):
        raise S3Problem.of("UnsupportedCall", method=request.method, path=request.path)
    found = re.match(r"/minio/admin/(v(\d{1,9}))/", request.path)
    version = found[1] if found else "unknown"
    if version == "v3":
        raise S3Problem.of("XMinioAdminVersionMismatch")
    old = found is not None and int(found[2]) < 3
    raise S3Problem.of("AdminVersionOld" if old else "AdminVersionNew", found=version)


def _has(request: Request, need: str) -> bool:
    name, _, wanted = need.partition("=")
    value = request.param(name)
    return value is not None and wanted in {"", value}


def _bare(response: Response) -> Response:
    """Take off the headers the real server does not send from outside its handlers."""
    kept = {"accept-ranges", "server", "vary", "content-type"}
    headers = [(name, value) for name, value in response.headers if name.lower() in kept]
    response.headers = [(n, "Origin" if n == "Vary" else v) for n, v in headers]
    return response
