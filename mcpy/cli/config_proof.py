"""See in a server's settings what was done to them: a change nobody sees is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcpy.api.minio_config import parse
from mcpy.errors import McpyError

if TYPE_CHECKING:
    from mcpy.api.minio_config import MinioConfig, Section
    from mcpy.cli.app import App


def see_set(app: App, client: MinioConfig, subsystem: str, wanted: list[tuple[str, str]]) -> None:
    """See that the server shows what it took, and warn of what it does not heed.

    Raises:
        McpyError: it shows something else.
    """
    name, _, target = subsystem.partition(":")
    sections = [s for s in parse(client.get(name)) if s.target == target]
    for key, value in wanted:
        found = sections[0].get(key) if sections else None
        if found and found.variable:
            app.out.warn(f"{found.variable} in the server's environment goes before `{key}`")
        elif found is None or found.value != value.strip('"'):
            raise McpyError(f"the server took `{key}`, and does not show it afterwards")


def see_reset(client: MinioConfig, line: str) -> None:
    """See that a target is gone, and that keys are at the defaults the server's help names.

    Raises:
        McpyError: they are as they were.
    """
    subsystem, _, keys = line.partition(" ")
    name, _, target = subsystem.partition(":")
    shown = [section for section in parse(client.get(name)) if section.target == target]
    if target and not keys:
        if any(not setting.variable for section in shown for setting in section.settings):
            raise McpyError(f"the server reset {subsystem}, and still shows it afterwards")
        return
    wanted = {key.partition("=")[0] for key in keys.split()}
    for key, default in client.defaults(name).items():
        found = shown[0].get(key) if shown and (not wanted or key in wanted) else None
        if found and not found.variable and found.value != default:
            raise McpyError(f"the server reset `{key}`, and shows {found.value}, not {default}")


def see_imported(client: MinioConfig, text: str) -> None:
    """See that the server noted what it took: it shows it from its next start on only.

    Raises:
        McpyError: the last entry of its history is another.
    """
    changes = client.history()
    if not changes or changes[-1].line.split() != text.split():
        raise McpyError("the server took the settings, and has others in its history")


def see_restored(client: MinioConfig, restore_id: str) -> None:
    """See that an entry was used up: the server forgets it when it was restored.

    Raises:
        McpyError: it is there still.
    """
    if any(change.restore_id == restore_id for change in client.history()):
        raise McpyError(f"the server took the restore of {restore_id}, and still offers it")


def unnamed(client: MinioConfig, text: str) -> list[str]:
    """Return the subsystems and targets in force that ``text`` does not name."""
    named = {_name(section) for section in parse(text)}
    lines = client.export().splitlines()
    inside = parse("\n".join(line for line in lines if not line.startswith("#")))
    return [name for section in inside if (name := _name(section)) not in named]


def _name(section: Section) -> str:
    return f"{section.subsystem}:{section.target}" if section.target else section.subsystem
