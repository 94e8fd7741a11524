"""``mcpy kes policy check``: may this policy or identity do what MinIO does?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from mcpy import kespolicy
from mcpy.cli import documents
from mcpy.cli.app import pass_app
from mcpy.cli.kes_access import KesCommand, KesOptions, connect, own_identity
from mcpy.cli.output import table
from mcpy.cli.params import KEY
from mcpy.commands.kes.policy import named
from mcpy.errors import FindingError, InputError

if TYPE_CHECKING:
    from mcpy.api.kes import Kes
    from mcpy.cli.app import App
    from mcpy.fleet.kes_trial import Found

_WORDS = {True: "allowed", False: "denied", None: "unknown"}


@dataclass(frozen=True)
class PolicyChecked:
    """All of MinIO's calls, and how they were looked into: ``file``, ``server`` or ``live``."""

    source: str
    identity: str
    policy: str
    found: list[Found]
    aligned: bool

    def data(self) -> dict[str, Any]:
        """Return the verdict on each call."""
        apis = [
            {
                "api": f.need.name,
                "path": f.path,
                "allowed": f.allowed,
                "required": f.need.required,
                "rule": f.rule,
                "purpose": f.need.purpose,
            }
            for f in self.found
        ]
        found = {"source": self.source, "identity": self.identity, "policy": self.policy}
        return {
            "status": "error" if self.lacking else "success",
            **{name: value for name, value in found.items() if value},
            "apis": apis,
        }

    def text(self) -> str:
        """Return a line for each call."""
        rows = [
            [
                _WORDS[f.allowed],
                f.path,
                f.need.purpose + (" (required)" if f.need.required else ""),
                f.rule,
            ]
            for f in self.found
        ]
        return table(["", "API", "with it MinIO", "rule"], rows, aligned=self.aligned)

    @property
    def lacking(self) -> list[str]:
        """The paths MinIO cannot work without, and does not have."""
        return [f.path for f in self.found if f.need.required and f.allowed is False]


@click.command("check", cls=KesCommand)
@click.argument("policy", required=False, metavar="[POLICY]")
@click.option("--file", metavar="FILE", help="A KES config or policy, YAML or JSON; - is stdin.")
@click.option("--identity", metavar="IDENTITY", help="Check the policy of this identity.")
@click.option("--for-key", "key", type=KEY, help="The key MinIO will use. [any]")
@pass_app
def check(app: App, /, policy: str | None, access: KesOptions, **options: Any) -> None:  # noqa: ANN401
    """See whether a policy or identity may do what MinIO does.

    With --file nothing is asked of a server. Otherwise POLICY, or the policy of --identity, is
    read from the server; without either, the client's own identity is tried out by harmless calls.
    Ends with exit code 3 when something is missing without which MinIO cannot work.
    """
    if policy and options["identity"]:
        raise InputError("give a policy or an identity, not both")
    from mcpy.fleet.kes_trial import evaluate, try_out

    key = options["key"] or kespolicy.ANY_KEY
    if options["file"]:
        source = "file"
        identity = options["identity"] or ""
        name, rules = _of_file(app, options["file"], policy, identity)
        found = evaluate(rules, key)
    elif policy or options["identity"]:
        source = "server"
        client = connect(app, access)
        identity = options["identity"] or ""
        name, rules = _of_server(client, policy, identity)
        found = evaluate(rules, key)
    else:
        source, name = "live", ""
        identity = own_identity(app, access)
        found = try_out(connect(app, access), key, any_key=not options["key"])
    checked = PolicyChecked(source, identity, name, found, app.out.tables)
    app.out.emit(checked)
    if checked.lacking:
        raise FindingError(
            f"MinIO cannot work without {' and '.join(checked.lacking)}",
            hint="add it to the policy's allow list in the config of KES",
        )


def _of_file(
    app: App, file: str, policy: str | None, identity: str
) -> tuple[str, kespolicy.Policy]:
    where = documents.name_of(file)
    found = kespolicy.parse(documents.parse(documents.read_text(app, file), where), where)
    if identity:
        return found.of(identity)
    if policy is not None:
        return policy, found.named(policy)
    if len(found.by_name) == 1:
        return next(iter(found.by_name.items()))
    names = ", ".join(sorted(found.by_name))
    raise InputError(f"{where} has several policies: {names}", hint="name one, or --identity")


def _of_server(client: Kes, policy: str | None, identity: str) -> tuple[str, kespolicy.Policy]:
    if policy is None:
        info = client.describe_identity(identity)
        if info.admin:
            return "", kespolicy.Policy(allow=("*",))
        policy = info.policy
    with named(policy):
        rules = client.read_policy(policy)
    return policy, kespolicy.Policy(rules.allow, rules.deny)
