"""``mcpy kes config``: write a KES server's configuration, and judge one."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcpy.cli.app import pass_app
from mcpy.cli.base import Group
from mcpy.cli.output import table
from mcpy.cli.params import KEY
from mcpy.cli.secrets import ask
from mcpy.errors import FindingError, InputError

if TYPE_CHECKING:
    from mcpy.cli.app import App
    from mcpy.kesconf.document import Node
    from mcpy.kesconf.findings import Finding

_FILE = click.Path(path_type=Path)
PROVIDERS = ("fs", "vault", "aws", "gcp", "azure", "ciphertrust")
# options of `new` that are settings of a provider: whose, and what they are
_SETTINGS: dict[str, tuple[str, str]] = {
    "path": ("fs", "folder of the keys."),
    "endpoint": ("vault, azure, ciphertrust, aws", "its URL; of aws its host, if not usual."),
    "engine": ("vault", "name of the KV engine. [kv]"),
    "engine-version": ("vault", "v1 or v2. [v2]"),
    "prefix": ("vault", "path of the keys in the engine. [kes]"),
    "namespace": ("vault", "namespace."),
    "kubernetes-role": ("vault", "sign in by Kubernetes with this role, not by AppRole."),
    "transit-key": ("vault", "encrypt by this key of the transit engine."),
    "region": ("aws", "region."),
    "kms-key": ("aws", "id, ARN or alias of the KMS key."),
    "project": ("gcp", "project id."),
    "managed-identity": ("azure", "client id of a managed identity."),
    "domain": ("ciphertrust", "domain. [root]"),
    "keystore-ca": ("vault, ciphertrust", "certificates to trust."),
}
_PATHS = ("engine", "prefix")


@dataclass(frozen=True)
class Reported:
    """One finding in one file."""

    file: str
    finding: Finding

    def data(self) -> dict[str, Any]:
        """Return file, severity, line, path, message, fix."""
        return {"status": "success", "file": self.file, **asdict(self.finding)}

    def text(self) -> str:
        """Return the line a compiler would print, for editors to jump to."""
        f = self.finding
        fix = f" ({f.fix})" if f.fix else ""
        return f"{self.file}:{f.line}: {f.severity}: {f.path}: {f.message}{fix}"


@dataclass(frozen=True)
class Written:
    """A new configuration; ``file`` is empty when it goes to stdout.

    ``policy`` is for the KES server, ``operator_policy`` for whoever locks its keys.
    """

    provider: str
    config: str
    policy: str
    operator_policy: str
    variables: list[str]
    file: str

    def data(self) -> dict[str, Any]:
        """Return everything, texts included."""
        found = asdict(self)
        found["operatorPolicy"] = found.pop("operator_policy")
        return {"status": "success", **found}

    def text(self) -> str:
        """Return the file itself, or where it is."""
        return f"Wrote `{self.file}`." if self.file else self.config.rstrip("\n")


@click.group(cls=Group)
def config() -> None:
    """Write and judge the configuration of a KES server."""


@config.command("lint")
@click.argument("file", type=_FILE)
@click.option("--strict", is_flag=True, help="Warnings count as errors.")
@click.option(
    "--elsewhere",
    is_flag=True,
    help="For another machine: its files and environment are not looked at.",
)
@click.option(
    "--ask", is_flag=True, help="Sign in at the keystore too, and look; nothing is written there."
)
@pass_app
def lint_(app: App, file: Path, *, strict: bool, elsewhere: bool, ask: bool) -> None:
    """Find what KES refuses in FILE, and what it accepts and misunderstands.

    With --ask also what only the keystore knows: the version of Vault's engine, secrets of others
    that show as keys. `mcpy keystore check` proves permissions. The exit code is 3 when there is
    an error.
    """
    from mcpy.kesconf.document import NoConfigError, load
    from mcpy.kesconf.findings import Subject
    from mcpy.kesconf.lint import lint

    try:
        root = load(file)
    except NoConfigError as e:
        raise FindingError(f"{e}: KES does not start") from e
    findings = lint(Subject(root, app.environ, elsewhere=elsewhere, config=file))
    if ask:
        findings += _asked(app, file, root.at("keystore"))
    for finding in findings:
        app.out.emit(Reported(str(file), finding))
    counts = {s: sum(f.severity == s for f in findings) for s in ("error", "warning", "info")}
    app.out.note(table([], [[_count(n, name) for name, n in counts.items()]], aligned=False))
    if counts["error"] or (strict and counts["warning"]):
        found = (_count(counts[name], name) for name in ("error", "warning"))
        raise FindingError(f"{file}: {', '.join(found)}")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 or what == "info" else f"{number} {what}s"


def _asked(app: App, file: Path, node: Node) -> list[Finding]:
    """Return what is wrong with the keystore as it is, found by signing in and listing."""
    from mcpy.cli.keystore_access import open_keystore
    from mcpy.errors import McpyError
    from mcpy.kesconf.findings import error, warning
    from mcpy.keystores.check import survey

    try:
        store, _ = open_keystore(app, file)
        failed = [step for step in survey(store, contents=True) if not step.ok]
    except McpyError as e:
        return [error(node, f"the keystore: {e.message}")]
    # KES works beside entries it cannot use; with all else it does not, or only seems to
    return [
        (warning if step.name in {"names", "entries"} else error)(
            node, f"{step.name}: {step.words}"
        )
        for step in failed
    ]


def _settings(command: click.Command) -> click.Command:
    options = [
        click.Option([f"--{name}"], metavar="TEXT", help=f"{whose}: {text}")
        for name, (whose, text) in _SETTINGS.items()
    ]
    command.params[1:1] = options
    return command


@_settings
@config.command("new")
@click.argument("provider", type=click.Choice(PROVIDERS))
@click.option("--ambient", is_flag=True, help="aws, gcp, azure: credentials of the machine.")
@click.option("--address", default="0.0.0.0:7373", show_default=True, help="Where KES listens.")
@click.option("--admin", metavar="IDENTITY", help="Identity of the admin, or `disabled`.")
@click.option("--minio", metavar="IDENTITY", help="Identity of MinIO.")
@click.option("--tls-key", default="private.key", show_default=True, help="KES's private key.")
@click.option("--tls-cert", default="public.crt", show_default=True, help="KES's certificate.")
@click.option("--keys", default="*", show_default=True, help="Keys MinIO may use: NAME or PRE*.")
@click.option("--create", multiple=True, type=KEY, help="Make this key at start.")
@click.option("--out", type=_FILE, help="Write to this file instead of stdout.")
@click.option("--force", is_flag=True, help="Replace files that exist.")
@click.option("--policy-out", type=_FILE, help="Write KES's policy for the provider to this file.")
@click.option(
    "--operator-policy-out", type=_FILE, help="The same for whoever uses `mcpy keystore`."
)
@pass_app
def new(app: App, /, provider: str, **options: Any) -> None:  # noqa: ANN401 - click's options
    """Write a KES config with PROVIDER as keystore, and the policy to grant there.

    Secrets are never written: the file names environment variables for them. On a terminal what
    is missing is asked for.
    """
    from mcpy.kesconf.grants import grants
    from mcpy.kesconf.template import NewConfig, render, variables

    settings = _given(app, provider, options)
    _check_identities(options["admin"], options["minio"])
    _check_keys(options["keys"], options["create"])
    fields = ("address", "admin", "minio", "tls_key", "tls_cert", "keys", "create")
    given = {name: options[name] for name in fields if options[name]}
    text = render(NewConfig(provider, settings, **given))
    _judge(text)
    policies = grants(provider, settings)
    files = {
        "out": text,
        "policy_out": f"{policies.kes}\n",
        "operator_policy_out": f"{policies.operator}\n",
    }
    wanted = {options[name]: content for name, content in files.items() if options[name]}
    for path in wanted:
        if path.exists() and not options["force"]:
            raise InputError(f"{path} exists", hint="--force replaces it")
    for path, content in wanted.items():
        _write(path, content)
    out = str(options["out"] or "")
    app.out.emit(Written(provider, text, policies.kes, policies.operator, variables(text), out))
    if not options["policy_out"]:
        app.out.note(f"grant KES this at the provider:\n{policies.kes}")
    if not options["operator_policy_out"]:
        app.out.note(f"and whoever locks keys by `mcpy keystore` this:\n{policies.operator}")
    if names := variables(text):
        app.out.note(f"KES wants these variables: {' '.join(names)}")


def _given(app: App, provider: str, options: dict[str, Any]) -> dict[str, str]:
    """Return the provider's settings, asking a person for those it cannot do without."""
    from mcpy.kesconf import template

    settings = {n: options[n] for n in (name.replace("-", "_") for name in _SETTINGS)}
    found = {name: text for name, text in settings.items() if text}
    for name in found:
        option = name.replace("_", "-")
        if provider not in _SETTINGS[option][0].split(", "):
            raise InputError(f"--{option} is a setting of {_SETTINGS[option][0]}")
    found |= {name: found[name].strip("/") for name in _PATHS if name in found}
    if version := found.get("engine_version"):
        found["engine_version"] = f"v{version.removeprefix('v')}"
        if found["engine_version"] not in {"v1", "v2"}:
            raise InputError("--engine-version is v1 or v2")
    if options["ambient"]:
        found["ambient"] = "yes"
    if app.stdin.isatty():
        for name, what in template.PROVIDERS[provider].required.items():
            found[name] = found.get(name) or ask(app, what.capitalize())
    return found


def _check_identities(admin: str | None, minio: str | None) -> None:
    """Refuse what is no identity: an API key in the file would be a secret for all to read."""
    from mcpy.kesconf.rules_server import IDENTITY

    for option, text in (("admin", admin), ("minio", minio)):
        if text and not IDENTITY.fullmatch(text) and (option, text) != ("admin", "disabled"):
            raise InputError(
                f"--{option} is an identity: 64 digits of 0-9 and a-f",
                hint="mcpy kes identity of FILE, or of an API key, prints it",
            )
    if admin and admin == minio:
        raise InputError("the administrator may do everything: MinIO needs an identity of its own")


def _check_keys(keys: str, create: tuple[str, ...]) -> None:
    from fnmatch import fnmatchcase

    if not re.fullmatch(r"[0-9A-Za-z_-]*\*?", keys) or not keys:
        raise InputError("--keys is the name of a key, or the start of names with `*` after it")
    for name in create:
        if not fnmatchcase(name, keys):
            raise InputError(f"MinIO may not use `{name}`, which --create makes: --keys {keys}")


def _judge(text: str) -> None:
    """Refuse to write what KES would not start with."""
    from mcpy.kesconf.document import parse
    from mcpy.kesconf.findings import Subject
    from mcpy.kesconf.lint import lint

    for finding in lint(Subject(parse(text), {}, elsewhere=True)):
        if finding.severity == "error":
            raise InputError(f"{finding.path}: {finding.message}", hint=finding.fix or None)


def _write(path: Path, content: str) -> None:
    from mcpy.config import write_private
    from mcpy.errors import ConfigError

    try:
        write_private(path, content.encode())
    except OSError as e:
        raise ConfigError(f"cannot write {path}: {e.strerror}") from e
