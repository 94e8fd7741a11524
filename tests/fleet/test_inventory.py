"""What a bucket holds: every state, odd names, and what makes a listing fail."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import httpx
import pytest

from mcpy.api.s3info import customer_headers
from mcpy.errors import DeadlineError, Interrupted, McpyError, S3Error, UnreachableError
from mcpy.fleet.inventory import Item, KmsDownError, NoVersionsError, scan, split
from mcpy.fleet.inventory.naming import Namer
from mcpy.fleet.parallel import Stop
from mcpy.models import CustomerKey
from tests.in_process import World
from tests.s3_calls import S3 as SSE_S3
from tests.s3_calls import kms_with
from tests.stub import s3_error, xml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mcpy.api.s3 import S3

PLAIN: dict[str, str] = {}
SSE_C = customer_headers(CustomerKey(b"K" * 32))
ODD_NAMES = ["%41", "a b+c", "a/b.c", "ctl\x01\x1f", "dir/", "q?x=y&z", "ü/Ж/漢", "~", "<&'\">"]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "s3")
    yield made
    made.store.close()


@pytest.fixture
def s3(world: World) -> S3:
    client = world.client()
    client.make_bucket("b-1")
    world.calls.clear()
    return client


def put(s3: S3, headers: dict[str, str], *keys: str) -> None:
    for key in keys:
        s3.put_object("b-1", key, b"content", headers=headers)


def states(items: Iterator[Item]) -> dict[str, str]:
    return {item.key: item.state for item in items}


def lists(world: World) -> list[str]:
    return [call for call in world.calls if call.startswith("GET /b-1?")]


def test_every_scheme_is_told_apart_in_the_order_of_keys(s3: S3) -> None:
    context = base64.b64encode(b'{"team":"a"}').decode()
    put(s3, PLAIN, "plain")
    put(s3, SSE_S3, "s3")
    put(s3, kms_with("tenant-a", '{"team":"a"}'), "kms-a")
    put(s3, kms_with("tenant-b"), "kms-b")
    put(s3, SSE_C, "customer")
    items = list(scan(s3, "b-1"))
    assert [(item.key, item.state, item.key_id, item.context) for item in items] == [
        ("customer", "sse-c", "", ""),
        ("kms-a", "sse-kms", "tenant-a", context),
        ("kms-b", "sse-kms", "tenant-b", ""),
        ("plain", "plain", "", ""),
        ("s3", "sse-s3", "", ""),
    ]
    assert {(item.size, item.version_id, item.is_latest) for item in items} == {(7, "null", True)}
    assert all(item.last_modified and item.etag and item.why == "" for item in items)


def test_a_thousand_objects_are_one_request(s3: S3, world: World) -> None:
    for number in range(3):
        put(s3, SSE_S3, f"{number}")
    world.calls.clear()
    assert len(list(scan(s3, "b-1", versions=False))) == 3
    assert world.calls == [
        "GET /b-1?encoding-type=url&list-type=2&max-keys=1000&metadata=true&prefix="
    ]


def test_versions_come_newest_first_with_their_delete_markers(s3: S3) -> None:
    s3.set_versioning("b-1", status="Enabled")
    put(s3, PLAIN, "a")
    put(s3, SSE_S3, "a")
    s3.delete_object("b-1", "a")
    put(s3, kms_with("tenant-a"), "b")
    found = [(i.key, i.state, i.is_latest, i.is_delete_marker) for i in scan(s3, "b-1")]
    assert found == [
        ("a", "", True, True),
        ("a", "sse-s3", False, False),
        ("a", "plain", False, False),
        ("b", "sse-kms", True, False),
    ]
    latest = list(scan(s3, "b-1", versions=False))
    assert [(item.key, item.version_id) for item in latest] == [("b", "")]


@pytest.mark.parametrize(
    ("prefix", "found"),
    [
        ("", ["logs-of-others", "logs/1", "one", "one-more"]),
        ("logs", ["logs/1"]),
        ("logs/", ["logs/1"]),
        ("one", ["one"]),
        ("nothing", []),
    ],
)
def test_a_prefix_is_an_object_or_a_folder_and_never_its_namesakes(
    s3: S3, prefix: str, found: list[str]
) -> None:
    put(s3, PLAIN, "logs/1", "logs-of-others", "one", "one-more")
    assert [item.key for item in scan(s3, "b-1", prefix)] == found


def test_a_scan_can_go_on_behind_a_key(s3: S3) -> None:
    put(s3, PLAIN, "a", "b", "c")
    assert [item.key for item in scan(s3, "b-1", after="a")] == ["b", "c"]
    assert [item.key for item in scan(s3, "b-1", versions=False, after="b")] == ["c"]


@pytest.mark.parametrize("versions", [True, False])
def test_names_of_any_kind_come_as_they_are(s3: S3, *, versions: bool) -> None:
    put(s3, SSE_S3, *ODD_NAMES)
    assert sorted(states(scan(s3, "b-1", versions=versions))) == sorted(ODD_NAMES)


@pytest.mark.parametrize("versions", [True, False])
def test_a_metadata_name_that_is_no_xml_costs_a_few_heads_and_no_object(
    s3: S3, world: World, *, versions: bool
) -> None:
    put(s3, kms_with("tenant-a"), *(f"k{number:02}" for number in range(40)))
    put(s3, {**SSE_S3, "x-amz-meta-a!b": "1"}, "k20")
    put(s3, {"x-amz-meta-a'b": "1"}, "k39")
    world.calls.clear()
    found = states(scan(s3, "b-1", versions=versions))
    assert len(found) == 40
    assert (found.pop("k20"), found.pop("k39")) == ("sse-s3", "plain")
    assert set(found.values()) == {"sse-kms"}
    assert sum(call.startswith("HEAD") for call in world.calls) <= 24


def test_a_server_that_ignores_metadata_is_asked_for_each_object(s3: S3, world: World) -> None:
    put(s3, SSE_S3, "a")
    put(s3, PLAIN, "b")
    put(s3, kms_with("tenant-a"), "c")
    put(s3, SSE_C, "d")
    world.metadata = False
    world.calls.clear()
    items = list(scan(s3, "b-1", versions=False, jobs=2))
    assert [(item.key, item.state, item.key_id) for item in items] == [
        ("a", "sse-s3", ""),
        ("b", "plain", ""),
        ("c", "sse-kms", "tenant-a"),
        ("d", "sse-c", ""),
    ]
    assert sorted(call for call in world.calls if call.startswith("HEAD")) == [
        f"HEAD /b-1/{key}" for key in "abcd"
    ]


def test_an_old_version_is_asked_for_by_its_id(s3: S3, world: World) -> None:
    s3.set_versioning("b-1", status="Enabled")
    put(s3, PLAIN, "a")
    put(s3, SSE_S3, "a")
    s3.delete_object("b-1", "a")
    world.metadata = False
    items = list(scan(s3, "b-1"))
    assert [item.state for item in items] == ["", "sse-s3", "plain"]
    assert all(f"HEAD /b-1/a?versionId={i.version_id}" in world.calls for i in items[1:])


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (httpx.Response(403), "denied: s3:GetObject is needed to see how it is encrypted"),
        (httpx.Response(404), "HEAD does not find it: deleted since it was listed?"),
        (httpx.Response(500), "HEAD was refused: HTTP 500: HTTP 500 internal server error"),
    ],
)
def test_an_object_that_may_not_be_asked_for_is_unknown_and_never_plain(
    s3: S3, world: World, answer: httpx.Response, why: str
) -> None:
    put(s3, PLAIN, "a")
    world.metadata = False
    world.hook = lambda request: answer if request.method == "HEAD" else None
    (item,) = scan(s3, "b-1")
    assert (item.state, item.why, item.size) == ("unknown", why, 7)


def test_a_server_that_goes_away_in_the_middle_ends_the_scan(s3: S3, world: World) -> None:
    put(s3, PLAIN, "a")
    world.metadata = False

    def hook(request: httpx.Request) -> None:
        if request.method == "HEAD":
            raise httpx.ConnectError("refused")

    world.hook = hook
    with pytest.raises(UnreachableError):
        list(scan(s3, "b-1"))


def test_a_server_that_lists_no_versions_says_so(s3: S3, world: World) -> None:
    world.hook = lambda _: s3_error(501, "NotImplemented")
    with pytest.raises(NoVersionsError, match="cannot list versions"):
        list(scan(s3, "b-1"))


def test_a_refusal_to_list_is_an_error(s3: S3) -> None:
    with pytest.raises(S3Error, match="NoSuchBucket"):
        list(scan(s3, "b-2"))


LOST = ["a", "a.txt", "data/obj-0001", "data/obj-0002", "sp ace +%", "zed/"]
FOUND = ["0first", "data/obj-0000", "data/obj-0003", "mid", "zz"]


@pytest.fixture
def lossy(s3: S3, world: World) -> S3:
    """A bucket with objects of a key that was deleted among others."""
    put(s3, SSE_S3, *FOUND)
    put(s3, PLAIN, "plain")
    world.with_default_key("tenant-a", lambda: put(s3, SSE_S3, *LOST))
    world.lose("tenant-a")
    world.calls.clear()
    return s3


@pytest.mark.parametrize("versions", [True, False])
def test_objects_of_a_lost_key_are_named_and_the_others_still_listed(
    lossy: S3, *, versions: bool
) -> None:
    items = list(scan(lossy, "b-1", versions=versions))
    assert [item.key for item in items] == sorted([*LOST, *FOUND, "plain"])
    found = {item.key: item for item in items}
    assert {found[key].state for key in LOST} == {"unreadable"}
    assert {found[key].state for key in FOUND} == {"sse-s3"}
    assert found["plain"].state == "plain"
    assert found["a"].why == "kms:KeyNotFound: key with given key ID does not exist"
    assert {found[key].version_id for key in LOST} == {"null" if versions else ""}
    assert {found[key].size for key in LOST} == {7}
    assert not any(item.rest_unknown for item in items)


def test_a_lost_object_below_a_prefix_is_named(lossy: S3) -> None:
    assert states(scan(lossy, "b-1", "data")) == {
        "data/obj-0000": "sse-s3",
        "data/obj-0001": "unreadable",
        "data/obj-0002": "unreadable",
        "data/obj-0003": "sse-s3",
    }


def test_the_way_around_a_lost_object_takes_a_few_requests(s3: S3, world: World) -> None:
    keys = [f"backup/2026/part-{number:05}.bin" for number in range(90)]
    put(s3, SSE_S3, *keys)
    world.with_default_key("tenant-a", lambda: put(s3, SSE_S3, *keys[40:50]))
    world.lose("tenant-a")
    world.calls.clear()
    found = states(scan(s3, "b-1"))
    assert [key for key, state in found.items() if state == "unreadable"] == keys[40:50]
    assert len(found) == 90
    assert len(world.calls) < 10 * 20 + 50


def test_older_versions_that_cannot_be_listed_are_said_to_be_missing(s3: S3, world: World) -> None:
    s3.set_versioning("b-1", status="Enabled")

    def lost() -> None:
        put(s3, SSE_S3, "a", "a", "b", "d", "e")
        s3.delete_object("b-1", "d")

    put(s3, SSE_S3, "a", "a.txt", "c")
    world.with_default_key("tenant-a", lost)
    put(s3, SSE_S3, "b")
    world.lose("tenant-a")
    found = [(i.key, i.state, i.rest_unknown, i.is_latest) for i in scan(s3, "b-1")]
    assert found == [
        ("a", "unreadable", False, True),
        ("a", "unreadable", True, False),
        ("a.txt", "sse-s3", False, True),
        ("b", "sse-s3", False, True),
        ("b", "unreadable", True, False),
        ("c", "sse-s3", False, True),
        ("d", "", False, True),
        ("d", "unreadable", True, False),
        ("e", "unreadable", False, True),
    ]


def test_one_lost_version_in_front_of_readable_ones_hides_none(s3: S3, world: World) -> None:
    s3.set_versioning("b-1", status="Enabled")
    put(s3, SSE_S3, "a")
    world.with_default_key("tenant-a", lambda: put(s3, SSE_S3, "a", "a.txt"))
    world.lose("tenant-a")
    found = [(i.key, i.state, i.rest_unknown) for i in scan(s3, "b-1")]
    assert found == [
        ("a", "unreadable", False),
        ("a", "sse-s3", False),
        ("a.txt", "unreadable", False),
    ]


def test_names_are_found_where_nothing_but_listing_is_allowed(lossy: S3, world: World) -> None:
    world.hook = lambda request: httpx.Response(403) if request.method == "HEAD" else None
    items = [item for item in scan(lossy, "b-1", "data") if item.state == "unreadable"]
    assert [item.key for item in items] == ["data/obj-0001", "data/obj-0002"]
    assert all(item.rest_unknown for item in items)  # without HEAD no version is known


def test_a_kms_that_is_down_ends_the_scan_at_once(s3: S3, world: World) -> None:
    put(s3, SSE_S3, *(f"{number:03}" for number in range(100)))
    world.kms.down = True
    world.calls.clear()
    with pytest.raises(
        KmsDownError, match="does not answer, or its default key is locked"
    ) as raised:
        list(scan(s3, "b-1"))
    assert raised.value.code == 6
    assert len(world.calls) == 2  # one page, for which the server waited enough, and the question


def test_a_listing_without_an_answer_is_laid_to_the_kms_only_where_that_is_down(
    s3: S3, world: World
) -> None:
    put(s3, SSE_S3, "k")

    def silent(request: httpx.Request) -> None:
        if b"versions" in request.url.query:
            raise httpx.ReadTimeout("")

    world.hook = silent
    with pytest.raises(DeadlineError) as raised:
        list(scan(s3, "b-1"))
    assert "gave no answer within" in raised.value.message
    world.kms.down = True
    with pytest.raises(KmsDownError):
        list(scan(s3, "b-1"))


def test_a_failure_that_may_pass_is_tried_again(s3: S3, world: World) -> None:
    put(s3, SSE_S3, "k")
    refusals = [s3_error(503, "SlowDown"), s3_error(503, "SlowDown")]
    world.hook = lambda request: (
        refusals.pop() if b"versions" in request.url.query and refusals else None
    )
    assert [item.key for item in scan(s3, "b-1")] == ["k"]
    assert not refusals


def test_a_kms_that_is_down_does_not_matter_where_no_etag_is_sealed(s3: S3, world: World) -> None:
    put(s3, kms_with("tenant-a"), "a")
    world.kms.down = True
    assert states(scan(s3, "b-1")) == {"a": "sse-kms"}


def test_a_page_that_never_becomes_xml_is_an_error_and_no_loop(s3: S3, world: World) -> None:
    world.hook = lambda _: xml(200, "<ListVersionsResult><a!b/>")
    with pytest.raises(McpyError, match="something other than XML"):
        list(scan(s3, "b-1"))


def test_a_page_that_comes_again_is_an_error_and_no_loop(s3: S3, world: World) -> None:
    page = (
        "<ListVersionsResult><IsTruncated>true</IsTruncated><NextKeyMarker>a</NextKeyMarker>"
        "<Version><Key>a</Key><UserMetadata><content-type>x</content-type></UserMetadata>"
        "</Version></ListVersionsResult>"
    )
    world.hook = lambda _: xml(200, page)
    with pytest.raises(McpyError, match="same page of a listing twice"):
        list(scan(s3, "b-1"))


def test_a_scan_ends_when_it_is_told_to(s3: S3) -> None:
    put(s3, PLAIN, "a")
    stop = Stop()
    stop.set()
    with pytest.raises(Interrupted):
        list(scan(s3, "b-1", stop=stop))


def test_closing_a_scan_leaves_the_callers_stop_alone(s3: S3) -> None:
    put(s3, PLAIN, "a", "b")
    stop = Stop()
    items = scan(s3, "b-1", stop=stop)
    assert next(items).key == "a"
    items.close()
    assert not stop.wanted


def test_a_name_that_cannot_be_found_is_told_with_what_was_left_out(
    lossy: S3, world: World
) -> None:
    world.hook = lambda request: httpx.Response(404) if request.method == "HEAD" else None
    first, item, other, last = scan(lossy, "b-1", "data/")
    assert [one.key for one in (first, last)] == ["data/obj-0000", "data/obj-0003"]
    assert (item.key, item.state, item.rest_unknown) == ("data/obj-0001", "unreadable", True)
    assert item.why.endswith("; it and all names that begin so cannot be listed")
    assert (other.key, other.rest_unknown) == ("data/obj-0002", True)


class Names:
    """A listing of names none of which can be opened, grouped byte by byte as MinIO does."""

    def __init__(self, *names: str) -> None:
        self.names = sorted(names)
        self.asked = 0

    def peek(self, place: str, *, prefix: str, delimiter: str = "") -> object:
        self.asked += 1
        name = next((n for n in self.names if n > place and n.startswith(prefix)), None)
        if name is None:
            return None
        rest = name[len(prefix) :].encode()
        by = delimiter.encode("utf-8", "surrogateescape")
        if not by or by not in rest:
            return object()
        shown = rest[: rest.index(by) + len(by)].decode("utf-8", "replace")
        from mcpy.api.s3listing import Entry

        return Entry(prefix + shown, is_prefix=True)

    def is_object(self, key: str) -> bool:
        return key in self.names


@pytest.mark.parametrize(
    "name",
    [
        "x",
        "a/b/c.txt",
        "tab\there",
        "Größe/漢.txt",
        "naïveté",
        "漢字",
        "😀",
        "a" * 1000,
        "a/",
        "\x7f",
    ],
)
def test_any_name_shows_itself_piece_by_piece(name: str) -> None:
    names = Names(name)
    namer = Namer(names.peek, names.is_object, "")
    assert namer.name("") == (name, True)


def test_the_name_before_tells_what_to_try_first() -> None:
    names = Names("logs/2026-11-25/part-000128.gz", "logs/2026-11-25/part-000129.gz")
    namer = Namer(names.peek, names.is_object, "")
    assert namer.name("logs/2026-11-25/part-000128.gz") == (names.names[1], True)
    assert names.asked <= 12


def test_a_name_that_cannot_be_found_is_given_as_far_as_it_is_known() -> None:
    names = Names("a/bcd")
    namer = Namer(names.peek, lambda _: False, "")
    key, whole = namer.name("")
    assert (key, whole) == ("a/bcd", False)


@pytest.mark.parametrize("versions", [True, False])
def test_a_bucket_is_cut_into_folders_and_what_lies_beside_them(s3: S3, *, versions: bool) -> None:
    put(s3, SSE_S3, "top/a/1", "top/b/1", "top/b/2/3", "top/loose")
    found = split(s3, "b-1", "", versions=versions)
    assert found is not None
    assert found.folders == ("top/a/", "top/b/")
    assert [entry.key for entry in found.loose] == ["top/loose"]
    assert split(s3, "b-1", "top/b", versions=versions) is None  # one folder, one beside it


def test_of_a_flat_place_all_lies_loose_and_what_cannot_be_listed_is_not_cut(
    s3: S3, world: World
) -> None:
    put(s3, SSE_S3, "a", "b", "only/one", "only/two")
    found = split(s3, "b-1", "only", versions=True)
    assert found is not None
    assert ([entry.key for entry in found.loose], found.folders) == (["only/one", "only/two"], ())
    world.hook = lambda _: s3_error(403, "AccessDenied")
    assert split(s3, "b-1", "", versions=True) is None


def test_a_bucket_of_very_many_folders_is_not_cut(s3: S3) -> None:
    put(s3, PLAIN, *(f"{number:03}/x" for number in range(257)))
    assert split(s3, "b-1", "", versions=False) is None
