"""What the server tells about itself and what it stores."""

from __future__ import annotations

import gc
import os
import shutil
import sys
from typing import TYPE_CHECKING, Any

from mcpy.sandbox.admin.call import answer_json
from mcpy.sandbox.kms import KmsProblem
from mcpy.sandbox.s3.errors import S3Problem
from mcpy.sandbox.s3.policy import listed
from mcpy.sandbox.s3.statements import as_list
from mcpy.sandbox.s3.times import rfc3339

if TYPE_CHECKING:
    from mcpy.sandbox.admin.call import AdminCall
    from mcpy.sandbox.admin.deployment import Census, Deployment
    from mcpy.sandbox.kms import Kms
    from mcpy.sandbox.message import Response
    from mcpy.sandbox.s3.identities import Identities

REDACTED = "*** EXISTS, REDACTED ***"
SECRET_NAMES = frozenset({"MINIO_ROOT_USER", "MINIO_ACCESS_KEY"})
ZERO_TIME = "0001-01-01T00:00:00Z"
_BACKEND = {
    "Type": 2,
    "GatewayOnline": False,
    "OnlineDisks": None,
    "OfflineDisks": None,
    "StandardSCData": [1],
    "StandardSCParities": None,
    "RRSCData": [1],
    "RRSCParities": None,
    "TotalSets": [1],
    "DrivesPerSet": [1],
    "StandardSCParity": 0,
    "RRSCParity": 0,
}


_ONE_DRIVE = {
    "backendType": "Erasure",
    "onlineDisks": 1,
    "offlineDisks": 0,
    "standardSCParity": 0,
    "rrSCParity": 0,
    "totalSets": [1],
    "totalDrivesPerSet": [1],
}


def server_info(call: AdminCall) -> Response:
    """Answer mode, counts, KMS state and the one server."""
    deployment = call.services.deployment
    census = deployment.census()
    drive = _drive(deployment)
    info: dict[str, Any] = {"mode": "online"}
    if deployment.region:
        info["region"] = deployment.region
    return answer_json(
        info
        | {
            "deploymentID": deployment.deployment_id,
            "buckets": {"count": census.buckets},
            "objects": {"count": census.objects},
            "versions": {"count": census.versions},
            "deletemarkers": {"count": census.delete_markers},
            "usage": {"size": census.size},
            "services": _services(call.services.kms),
            "backend": _ONE_DRIVE,
            "servers": [_server(call, drive)],
            "pools": {"0": {"0": _pool(census, drive)}},
        }
    )


def storage_info(call: AdminCall) -> Response:
    """Answer the one drive."""
    return answer_json({"Disks": [_drive(call.services.deployment)], "Backend": _BACKEND})


def data_usage(call: AdminCall) -> Response:
    """Answer how much is stored."""
    census = call.services.deployment.census()
    return answer_json(
        {
            "lastUpdate": rfc3339(call.services.now()),
            "objectsCount": census.objects,
            "versionsCount": census.versions,
            "deleteMarkersCount": census.delete_markers,
            "objectsTotalSize": census.size,
            "objectsReplicationInfo": None,
            "bucketsCount": census.buckets,
            "bucketsUsageInfo": None,
            "bucketsSizes": None,
        }
    )


def account_info(call: AdminCall) -> Response:
    """Answer the caller's policies; of a session, those of its parent."""
    name = call.identities.account_of(call.caller.access_key, call.token)
    return answer_json(
        {
            "AccountName": name,
            "Server": _BACKEND,
            "Policy": _policy_of(call.identities, name),
            "Buckets": None,
        }
    )


def _policy_of(identities: Identities, name: str) -> dict[str, Any]:
    """Return everything a user's policies say in one; the root user's is ``consoleAdmin``."""
    documents = [identities.policies["consoleAdmin"]]
    if name not in identities.root:
        (documents,) = identities.documents(name)
    statements = [_as_list_of(statement) for one in documents for statement in listed(one)]
    if not statements:
        return {"Version": "", "Statement": None}
    return {"Version": "2012-10-17", "Statement": statements}


def _as_list_of(statement: dict[str, Any]) -> dict[str, Any]:
    """Return a statement as MinIO writes it back: what may stand alone in lists."""
    if not statement.get("Action"):
        raise S3Problem.of("InternalError")  # MinIO cannot write a NotAction
    found = statement | {"Action": as_list(statement["Action"])}
    if "Resource" in statement:
        found["Resource"] = ["**" if r == "*" else r for r in as_list(statement["Resource"])]
    return found


def _server(call: AdminCall, drive: dict[str, Any]) -> dict[str, Any]:
    deployment = call.services.deployment
    uptime = max(0, int((call.services.now() - deployment.started).total_seconds()))
    server: dict[str, Any] = {"state": "online", "endpoint": deployment.endpoint}
    if uptime:
        server["uptime"] = uptime
    return server | {
        "version": deployment.version,
        "commitID": deployment.version,
        "network": {deployment.endpoint: "online"},
        "drives": [drive],
        "poolNumber": 1,
        "poolNumbers": [1],
        "mem_stats": _memory(deployment, uptime),
        "go_max_procs": os.cpu_count() or 1,
        "num_cpu": os.cpu_count() or 1,
        "runtime_version": f"python{sys.version_info.major}.{sys.version_info.minor}",
        "gc_stats": _collections(deployment),
        "minio_env_vars": shown_environment(deployment),
        "edition": "",
        "is_leader": False,
        "ilm_expiry_in_progress": False,
    }


def shown_environment(deployment: Deployment) -> dict[str, str]:
    """Return the server's own variables, what may be secret redacted."""
    return {
        name: REDACTED if _secret(name) else value
        for name, value in sorted(deployment.env.items())
        if name.startswith("MINIO")
    }


def _secret(name: str) -> bool:
    lowered = name.lower()
    return name in SECRET_NAMES or "password" in lowered or lowered.endswith("key")


def _services(kms: Kms | None) -> dict[str, Any]:
    if kms is None:
        return {"kms": {}, "ldap": {}}
    try:
        states = kms.status()
    except KmsProblem:
        states = {}
    shown = [
        {"status": "online" if online else "offline", "endpoint": endpoint}
        for endpoint, online in states.items()
    ]
    return {"kms": {}, "kmsStatus": shown, "ldap": {}}


def _pool(census: Census, drive: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": 0,
        "rawUsage": drive["usedspace"],
        "rawCapacity": drive["totalspace"],
        "usage": census.size,
        "objectsCount": census.objects,
        "versionsCount": census.versions,
        "deleteMarkersCount": census.delete_markers,
        "healDisks": 0,
    }


def _memory(deployment: Deployment, uptime_s: int) -> dict[str, int]:
    """Estimate Go's numbers; TotalAlloc only ever grows, and begins anew at a restart."""
    objects = len(gc.get_objects())
    resident = objects * 128
    total = 64 * 1024 * 1024 + deployment.requests * 65_536 + uptime_s * 262_144
    return {
        "Alloc": resident,
        "TotalAlloc": total,
        "Mallocs": objects + deployment.requests,
        "Frees": deployment.requests,
        "HeapAlloc": resident,
    }


def _collections(deployment: Deployment) -> dict[str, Any]:
    return {
        "last_gc": rfc3339(deployment.started),
        "num_gc": 6 + deployment.requests // 100,
        "pause_total": 0,
        "pause": [],
        "pause_end": [],
    }


def _drive(deployment: Deployment) -> dict[str, Any]:
    usage = shutil.disk_usage(deployment.folder)
    inodes = os.statvfs(deployment.folder)
    return {
        "endpoint": str(deployment.folder),
        "path": str(deployment.folder),
        "state": "ok",
        "uuid": deployment.deployment_id,
        "major": 0,
        "minor": 0,
        "totalspace": usage.total,
        "usedspace": usage.total - usage.free,
        "availspace": usage.free,
        "metrics": {},
        "used_inodes": inodes.f_files - inodes.f_ffree,
        "free_inodes": inodes.f_ffree,
        "local": True,
        "pool_index": 0,
        "set_index": 0,
        "disk_index": 0,
    }
