"""Is everything as it should be? The doctor, and the file of ``encrypt plan``, for one server."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mcpy.errors import InputError, McpyError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcpy.client.client import Client
    from mcpy.client.connecting import Network
    from mcpy.fleet.doctor.step import KesAccess, Step
    from mcpy.fleet.plan.item import Item
    from mcpy.fleet.plan.keys import Site
    from mcpy.models import Target


def examine(client: Client, network: Network, target: Target, version_id: str) -> list[Step]:
    """Return every link between the client and its keys, or to one bucket or object."""
    from mcpy.api.madmin import MinioAdmin
    from mcpy.api.s3 import S3
    from mcpy.fleet.doctor.chain import examine as walk
    from mcpy.fleet.doctor.chain import examine_target
    from mcpy.fleet.doctor.step import Patient

    # clients of its own: a fault is to be seen here, and not smoothed over by repeats
    once = replace(network, retries=0)
    options = once.options(client.alias.ca)
    s3, admin = S3(client.alias, options), MinioAdmin(client.alias, options)
    kes = (lambda: _access(client, once)) if client.alias.kes else None
    patient = Patient(client.alias, s3, admin, options, kes)
    try:
        found = examine_target(patient, target, version_id) if target.bucket else walk(patient)
        return list(found)
    finally:
        s3.http.close()
        admin.close()


def _access(client: Client, network: Network) -> KesAccess:
    from mcpy.api.tls import certificate_of
    from mcpy.fleet.doctor.access import access_of

    profile = client.alias.kes
    assert profile is not None  # noqa: S101 - asked before
    options = network.options(profile.ca)
    return access_of(profile, client.kes, certificate_of(profile), options)


def plan(client: Client, text: str) -> list[Item]:
    """Return how the server differs from the text of a file, objects included."""
    items, sites = _compared(client, text)
    return [_looked(sites, item) for item in items]


def apply(client: Client, text: str) -> list[Item]:
    """Make the server what the text of a file says, and return what became of each item."""
    from mcpy.fleet.plan.act import Applying

    items, sites = _compared(client, text)
    return [_looked(sites, item) for item in Applying(sites).run(items)]


def _compared(client: Client, text: str) -> tuple[list[Item], Callable[[str], Site]]:
    from mcpy.fleet.plan.difference import Comparison
    from mcpy.fleet.plan.document import read
    from mcpy.fleet.plan.keys import Site

    desired = read(text, "the file")
    name = client.alias.name
    if others := [alias for alias in desired.aliases if alias != name]:
        raise InputError(f"the file speaks of `{others[0]}`, and the client is that of `{name}`")
    site = Site(name, client.s3, client.admin, (lambda: client.kes) if client.alias.kes else None)
    return Comparison(desired, lambda _: site).items(), lambda _: site


def _looked(sites: Callable[[str], Site], item: Item) -> Item:
    from mcpy.fleet.parallel import Stop
    from mcpy.fleet.plan.item import CheckObjects
    from mcpy.fleet.plan.objects import Looking

    if not isinstance(item.act, CheckObjects):
        return item
    try:
        return Looking(4, Stop()).at(sites(item.act.alias), item, item.act)
    except McpyError as e:
        return item.failed(e)
