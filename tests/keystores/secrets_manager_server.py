"""A small AWS Secrets Manager: secrets, versions and their stages as its API reference has them.

In memory, on loopback; signatures are not checked. It shares nothing with the client under test.
https://docs.aws.amazon.com/secretsmanager/latest/apireference/
"""

from __future__ import annotations

import re
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.keystores.http_server import Answer, Call
from tests.keystores.http_server import serving as http

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = 100


class Refusal(Exception):  # noqa: N818 - an answer
    """An error of the API."""


@dataclass
class Secret:
    """One secret: values by version, and the version of each stage."""

    values: dict[str, dict[str, Any]] = field(default_factory=dict)
    stages: dict[str, str] = field(default_factory=dict)
    deleted: bool = False
    kms_key: str = ""

    def put(self, value: dict[str, Any]) -> str:
        version = str(uuid.uuid4())
        self.values[version] = {k: v for k, v in value.items() if k.startswith("Secret")}
        self.move("AWSCURRENT", version)
        return version

    def move(self, stage: str, version: str) -> None:
        if stage == "AWSCURRENT" and stage in self.stages:
            self.stages["AWSPREVIOUS"] = self.stages[stage]
        self.stages[stage] = version


@dataclass
class SecretsManagerServer:
    """The state of the server; ``signed_by`` is the access key of the last call."""

    secrets: dict[str, Secret] = field(default_factory=dict)
    denied: set[str] = field(default_factory=set)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    signed_by: str = ""

    def answer(self, action: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Return status and JSON for a call."""
        self.calls.append((action, body))
        if action in self.denied:
            message = f"User is not authorized to perform: secretsmanager:{action}"
            return 400, {"__type": "AccessDeniedException", "Message": message}
        try:
            return 200, getattr(self, f"_{action}")(body)
        except Refusal as e:
            return 400, {"__type": e.args[0], "Message": e.args[1]}

    def _find(self, body: dict[str, Any], *, deleted: bool = False) -> Secret:
        found = self.secrets.get(body["SecretId"])
        if found is None:
            raise Refusal("ResourceNotFoundException", "Secrets Manager can't find the secret.")
        if found.deleted and not deleted:
            words = "You can't perform this operation: the secret was marked for deletion."
            raise Refusal("InvalidRequestException", words)
        return found

    def _CreateSecret(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 - AWS's name
        if body["Name"] in self.secrets:
            if self.secrets[body["Name"]].deleted:
                words = "a secret with this name is already scheduled for deletion."
                raise Refusal("InvalidRequestException", words)
            raise Refusal("ResourceExistsException", "the secret already exists.")
        made = self.secrets[body["Name"]] = Secret(kms_key=body.get("KmsKeyId", ""))
        return {"Name": body["Name"], "VersionId": made.put(body)}

    def _GetSecretValue(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        found = self._find(body)
        version = body.get("VersionId") or found.stages[body.get("VersionStage", "AWSCURRENT")]
        return {"VersionId": version, **found.values[version]}

    def _PutSecretValue(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"VersionId": self._find(body).put(body)}

    def _DescribeSecret(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        found = self._find(body, deleted=True)
        versions: dict[str, list[str]] = {}
        for stage, version in found.stages.items():
            versions.setdefault(version, []).append(stage)
        return {"VersionIdsToStages": versions}

    def _UpdateSecretVersionStage(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        found, stage = self._find(body), body["VersionStage"]
        if found.stages.get(stage) != body.get("RemoveFromVersionId"):
            words = "RemoveFromVersionId must be the version the stage is attached to"
            raise Refusal("InvalidParameterException", words)
        if "MoveToVersionId" in body:
            found.move(stage, body["MoveToVersionId"])
        else:
            del found.stages[stage]
        return {}

    def _DeleteSecret(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        if body.get("ForceDeleteWithoutRecovery"):
            self.secrets.pop(body["SecretId"], None)
        else:
            self._find(body).deleted = True
        return {}

    def _ListSecrets(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        all_of_them = body.get("IncludePlannedDeletion", False)
        found = [
            {"Name": name} | ({"DeletedDate": 1.0} if secret.deleted else {})
            for name, secret in self.secrets.items()
            if all_of_them or not secret.deleted
        ]
        start = int(body.get("NextToken", 0))
        page = {"SecretList": found[start : start + PAGE]}
        more = len(found) > start + PAGE
        return page | ({"NextToken": str(start + PAGE)} if more else {})


@contextmanager
def serving(state: SecretsManagerServer) -> Iterator[str]:
    """Serve on a free port of loopback, and give the URL."""

    def answer(call: Call) -> Answer:
        kind = {"Content-Type": "application/x-amz-json-1.1"}
        if call.method == "GET":
            return Answer(200, {}, kind)  # what a KES asks at its start
        signed = re.search(r"Credential=(\w+)/", call.headers.get("authorization", ""))
        state.signed_by = signed[1] if signed else ""
        action = call.headers["x-amz-target"].partition(".")[2]
        status, body = state.answer(action, call.json)
        return Answer(status, body, kind)

    with http(answer) as port:
        yield f"http://127.0.0.1:{port}"
