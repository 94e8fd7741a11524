"""The store: versions in order, contents that outlive readers, changes whole or not at all."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mcpy.sandbox.store import (
    BucketExistsError,
    BucketNotEmptyError,
    NoBucketError,
    NoUploadError,
    ObjectVersion,
    Part,
    Store,
    Upload,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

BIG = 100_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "data")
    opened.create_bucket("b", 1, {})
    yield opened
    opened.close()


def put(
    store: Store, key: str, data: bytes, *, at: int = 1, version_id: str = "null"
) -> ObjectVersion:
    writer = store.writer()
    writer.write([data])
    writer.close()
    part = Part(1, len(data), len(data), writer.content)
    version = ObjectVersion(key, at, version_id, size=len(data), parts=[part])
    return store.commit("b", version, [writer])


def read(store: Store, version: ObjectVersion | None) -> bytes:
    assert version is not None
    part = version.parts[0]
    with store.reader([(part.content, 0, part.stored)]) as reader:
        return b"".join(reader)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def contents(store_folder: Path) -> list[Path]:
    return files(store_folder / "content")


@pytest.mark.parametrize("size", [0, 1, BIG, 3_000_000])
def test_what_was_put_is_read_back(store: Store, size: int) -> None:
    data = os.urandom(size)
    put(store, "k", data)
    assert read(store, store.find("b", "k")) == data


def test_everything_survives_a_restart(store: Store, tmp_path: Path) -> None:
    put(store, "small", b"x")
    put(store, "big", b"y" * BIG)
    store.configure("b", "versioning", "Enabled")
    store.close()
    again = Store(tmp_path / "data")
    assert read(again, again.find("b", "small")) == b"x"
    assert read(again, again.find("b", "big")) == b"y" * BIG
    assert again.bucket("b").config == {"versioning": "Enabled"}
    assert put(again, "new", b"z" * BIG).parts[0].content > 2
    again.close()


def test_all_files_are_private(store: Store, tmp_path: Path) -> None:
    put(store, "big", bytes(BIG))
    assert {stat.S_IMODE(path.stat().st_mode) for path in files(tmp_path)} == {0o600}
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


def test_overwriting_frees_the_old_content(store: Store, tmp_path: Path) -> None:
    for _ in range(3):
        put(store, "k", bytes(BIG))
    assert len(contents(tmp_path / "data")) == 1


def test_a_reader_finishes_although_the_object_is_replaced(store: Store, tmp_path: Path) -> None:
    version = put(store, "k", b"old" * BIG)
    part = version.parts[0]
    with store.reader([(part.content, 0, part.stored)]) as reader:
        put(store, "k", b"new")
        assert b"".join(reader) == b"old" * BIG
    assert not contents(tmp_path / "data")


def test_a_content_that_is_gone_cannot_be_opened(store: Store) -> None:
    version = put(store, "k", b"x")
    store.remove("b", "k", "null")
    with pytest.raises(LookupError):
        store.reader([(version.parts[0].content, 0, 1)])


def test_the_latest_version_is_the_newest_by_time_then_by_commit(store: Store) -> None:
    put(store, "k", b"a", at=5, version_id="a")
    put(store, "k", b"b", at=9, version_id="b")
    put(store, "k", b"c", at=7, version_id="c")
    put(store, "k", b"d", at=9, version_id="d")
    assert [version.version_id for version in store.versions("b")] == ["d", "b", "c", "a"]
    latest = store.find("b", "k")
    assert latest is not None
    assert latest.version_id == "d"


def test_a_commit_under_the_same_id_replaces_that_version_only(store: Store) -> None:
    put(store, "k", b"a", at=1, version_id="a")
    put(store, "k", b"b", at=2, version_id="b")
    put(store, "k", b"A", at=3, version_id="a")
    assert [read(store, version) for version in store.versions("b")] == [b"A", b"b"]


def test_a_check_that_refuses_leaves_everything_as_it_was(store: Store, tmp_path: Path) -> None:
    put(store, "k", b"old")

    def refuse(latest: ObjectVersion | None) -> None:
        assert latest is not None
        raise ValueError("refused")

    writer = store.writer()
    writer.write([bytes(BIG)])
    writer.close()
    version = ObjectVersion("k", 2, size=BIG, parts=[Part(1, BIG, BIG, writer.content)])
    with pytest.raises(ValueError, match="refused"):
        store.commit("b", version, [writer], check=refuse)
    assert read(store, store.find("b", "k")) == b"old"
    assert not contents(tmp_path / "data")


@pytest.mark.parametrize(
    "key", ["..", "a/../b", "x/", "\x01\x7f", "ü\U0001f600", "\udcff", "k" * 1024, "a//b", " "]
)
def test_any_name_can_be_stored_and_stays_within_the_folder(
    store: Store, tmp_path: Path, key: str
) -> None:
    put(store, key, bytes(BIG))
    assert [version.key for version in store.versions("b")] == [key]
    assert {path.name for path in tmp_path.iterdir()} == {"data"}


def test_names_are_sorted_as_bytes(store: Store) -> None:
    for key in ("b", "a", "Z", "ü", "a/b", "a-"):
        put(store, key, b"")
    assert [version.key for version in store.versions("b")] == ["Z", "a", "a-", "a/b", "b", "ü"]


def test_all_versions_of_many_are_walked_once(store: Store) -> None:
    for number in range(1500):
        put(store, "k", b"", at=number, version_id=str(number))
    put(store, "z", b"")
    assert len({version.version_id for version in store.versions("b")}) == 1501


def test_buckets_are_unique_and_only_empty_ones_go(store: Store) -> None:
    with pytest.raises(BucketExistsError):
        store.create_bucket("b", 1, {})
    put(store, "k", b"x")
    with pytest.raises(BucketNotEmptyError):
        store.delete_bucket("b")
    store.delete_bucket("b", force=True)
    with pytest.raises(NoBucketError):
        store.find("b", "k")


def test_a_bucket_made_again_is_empty(store: Store, tmp_path: Path) -> None:
    put(store, "k", bytes(BIG))
    store.delete_bucket("b", force=True)
    store.create_bucket("b", 2, {})
    assert list(store.versions("b")) == []
    assert not contents(tmp_path / "data")


def part_of(store: Store, upload: Upload, number: int, data: bytes) -> Part:
    writer = store.writer()
    writer.write([data])
    writer.close()
    part = Part(number, len(data), len(data), writer.content)
    store.put_part(upload, part, writer)
    return part


def start(store: Store) -> Upload:
    upload = Upload("u", "b", ObjectVersion("k", 1))
    store.start_upload(upload)
    return upload


def test_completing_an_upload_keeps_its_parts_and_drops_the_rest(
    store: Store, tmp_path: Path
) -> None:
    upload = start(store)
    part_of(store, upload, 1, b"old" * BIG)
    first = part_of(store, upload, 1, b"new" * BIG)
    part_of(store, upload, 2, bytes(BIG))
    store.complete_upload(upload, upload.template.copy(size=3 * BIG, parts=[first]))
    assert read(store, store.find("b", "k")) == b"new" * BIG
    assert len(contents(tmp_path / "data")) == 1
    with pytest.raises(NoUploadError):
        store.upload("b", "k", "u")


def test_aborting_an_upload_leaves_nothing(store: Store, tmp_path: Path) -> None:
    upload = start(store)
    part_of(store, upload, 1, bytes(BIG))
    store.abort_upload(upload)
    assert not contents(tmp_path / "data")
    with pytest.raises(NoUploadError):
        part_of(store, upload, 2, bytes(BIG))
    assert not contents(tmp_path / "data")


def test_an_upload_belongs_to_one_object(store: Store) -> None:
    start(store)
    with pytest.raises(NoUploadError):
        store.upload("b", "other", "u")


def test_writers_at_the_same_time_leave_one_of_theirs(store: Store, tmp_path: Path) -> None:
    def work(number: int) -> None:
        for at in range(20):
            put(store, "k", bytes([number]) * BIG, at=at)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    data = read(store, store.find("b", "k"))
    assert data == data[:1] * BIG
    assert len(contents(tmp_path / "data")) == 1


WRITER = """
import sys, pathlib
from mcpy.sandbox.store import Store, ObjectVersion, Part
store = Store(pathlib.Path(sys.argv[1]))
for at in range(1, 1_000_000):
    data = bytes([at % 251]) * 200_000
    writer = store.writer(); writer.write([data]); writer.close()
    part = Part(1, len(data), len(data), writer.content)
    store.commit("b", ObjectVersion("k", at, size=len(data), parts=[part]), [writer])
    print(at, flush=True)
"""


def test_a_kill_leaves_a_whole_object_and_no_rubbish(store: Store, tmp_path: Path) -> None:
    put(store, "k", b"\xff" * 200_000)
    store.close()
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path / "data")],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(0.05)
        child.send_signal(signal.SIGKILL)
    again = Store(tmp_path / "data")
    data = read(again, again.find("b", "k"))
    assert data == data[:1] * 200_000
    assert len(contents(tmp_path / "data")) == 1
    again.close()


def test_content_in_more_pieces_than_the_system_takes_at_once_is_written_whole(
    tmp_path: Path,
) -> None:
    store = Store(tmp_path)
    writer = store.writer()
    pieces = [bytes([number % 256]) * 100 for number in range(3000)]
    writer.write(pieces)
    writer.write([b"end"])
    writer.close()
    assert store._files.path(writer.content).read_bytes() == b"".join([*pieces, b"end"])
    store.close()


def test_what_the_system_did_not_take_at_once_is_written_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def few(descriptor: int, pieces: list[bytes]) -> int:
        return os.write(descriptor, pieces[0][:7])

    monkeypatch.setattr(os, "writev", few)
    store = Store(tmp_path)
    writer = store.writer()
    writer.write([b"0123456789" * 20_000, b"end"])
    writer.close()
    assert store._files.path(writer.content).read_bytes() == b"0123456789" * 20_000 + b"end"
    store.close()
