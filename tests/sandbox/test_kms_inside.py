"""A KES in the S3 server's own process is asked without the wire, and nobody can tell."""

from __future__ import annotations

import base64
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from mcpy.sandbox.kms import KesKms, KmsProblem
from mcpy.sandbox.kms.link import Link
from mcpy.sandbox.play import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcpy.sandbox.kes.service import KesService
    from mcpy.sandbox.kms.link import Ends

pytestmark = pytest.mark.sandbox

API_KEY = "kes:v1:" + base64.b64encode(b"\0" + b"s" * 32).decode()
TO_THE_WIRE, BY_A_CALL = "wire", "call"


@pytest.fixture
def box() -> Iterator[Sandbox]:
    with Sandbox(kms_key="default") as box:
        yield box


class Way:
    """The sandbox's KES as one in this process, and how each request went."""

    def __init__(self, service: KesService) -> None:
        self._service = service
        self.taken: list[str] = []

    def __call__(
        self, ends: Ends, method: str, path: str, body: bytes | None
    ) -> tuple[int, bytes] | None:
        answer = self._service.inside(ends, method, path, body)
        self.taken.append(TO_THE_WIRE if answer is None else BY_A_CALL)
        return answer


@pytest.fixture
def way(box: Sandbox) -> Way:
    assert box._kes is not None
    return Way(box._kes)


@pytest.fixture
def kms(box: Sandbox, way: Way) -> Iterator[KesKms]:
    with closing(connected(box, way, box.minio_api_key)) as kms:
        yield kms


def connected(box: Sandbox, way: Way, api_key: str) -> KesKms:
    variables = {
        "MINIO_KMS_KES_ENDPOINT": box.kes_url,
        "MINIO_KMS_KES_KEY_NAME": "default",
        "MINIO_KMS_KES_API_KEY": api_key,
        "MINIO_KMS_KES_CAPATH": str(box.ca),
    }
    kms = KesKms.from_env(variables, inside=way)
    assert kms is not None
    kms._link._pause = lambda _: None
    return kms


def shaken_hands(kms: KesKms, way: Way) -> None:
    """Ask over the wire until the KES knows the connection: it does once it has answered."""
    while BY_A_CALL not in way.taken:
        kms.generate("default", {})
    way.taken.clear()


def test_the_first_request_goes_over_the_wire_and_the_next_by_a_call(
    kms: KesKms, way: Way
) -> None:
    made = kms.generate("default", {"b": "b/o"})
    assert way.taken == []  # there was no connection yet
    shaken_hands(kms, way)
    assert kms.decrypt("default", made.ciphertext, {"b": "b/o"}) == made.plaintext
    assert way.taken == [BY_A_CALL]


def test_who_asks_is_who_shook_hands(box: Sandbox, kms: KesKms, way: Way) -> None:
    shaken_hands(kms, way)
    with closing(connected(box, way, API_KEY)) as stranger:
        for _ in range(20):
            with pytest.raises(KmsProblem) as raised:
                stranger.generate("default", {})
            assert (raised.value.status, raised.value.message) == (
                403,
                "not authorized: insufficient permissions",
            )
    assert BY_A_CALL in way.taken


def test_refusals_are_worded_as_over_the_wire(box: Sandbox, kms: KesKms, way: Way) -> None:
    with closing(connected(box, way, box.minio_api_key)) as other:
        other._link._inside = None
        answers = []
        shaken_hands(kms, way)
        for asked in (kms, other):
            with pytest.raises(KmsProblem) as missing:
                asked.generate("nowhere", {})
            with pytest.raises(KmsProblem) as forged:
                asked.decrypt("default", b"x" * 60, {})
            answers.append((missing.value.status, str(missing.value), str(forged.value)))
    assert answers[0] == answers[1]
    assert way.taken == [BY_A_CALL, BY_A_CALL]


def test_the_kes_counts_and_logs_what_comes_by_a_call(box: Sandbox, kms: KesKms, way: Way) -> None:
    shaken_hands(kms, way)
    assert box._kes is not None
    state = box._kes._app.state
    before = state.metrics._statuses[200]
    kms.create("made-by-a-call")
    assert way.taken == [BY_A_CALL]
    assert state.metrics._statuses[200] == before + 1
    assert "secret key 'made-by-a-call' created" in box.home.log_file.read_text("utf-8")


def test_what_is_no_key_is_asked_over_the_wire(kms: KesKms, way: Way) -> None:
    shaken_hands(kms, way)
    assert kms.version()
    assert way.taken == [TO_THE_WIRE]


def test_a_kes_that_is_down_is_down_by_a_call_too(box: Sandbox, kms: KesKms, way: Way) -> None:
    shaken_hands(kms, way)
    box.faults.replace(["kes-down"])
    with pytest.raises(KmsProblem, match="connect: connection refused") as raised:
        kms.generate("default", {})
    assert raised.value.status == 0
    assert BY_A_CALL not in way.taken
    box.faults.replace([])
    shaken_hands(kms, way)


def test_faults_meet_every_request(box: Sandbox, kms: KesKms, way: Way) -> None:
    shaken_hands(kms, way)
    box.faults.replace(["limited=0@kes:1x", "key-lost=default"])
    with pytest.raises(KmsProblem) as raised:
        kms.generate("default", {})
    assert raised.value.status == 429
    with pytest.raises(KmsProblem, match="key does not exist"):
        kms.generate("default", {})
    assert box.faults.fired()["limited=0@kes:1x"] == 1
    assert way.taken == [TO_THE_WIRE, TO_THE_WIRE]


def test_a_keystore_elsewhere_is_asked_over_the_wire(
    box: Sandbox, kms: KesKms, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    shaken_hands(kms, way)
    assert box._kes is not None
    # as if the keys were there: a client's patience counts the time on the wire
    monkeypatch.setattr(box._kes._app.state.store, "provider", "vault")
    assert kms.generate("default", {}).plaintext
    assert way.taken == [TO_THE_WIRE]


def test_a_connection_of_nobody_is_none(box: Sandbox) -> None:
    assert box._kes is not None
    ends = ("127.0.0.1", 1), ("127.0.0.1", box._kes.server.port)
    assert box._kes.inside(ends, "POST", "/v1/key/generate/default", b"{}") is None


def test_an_s3_server_asks_the_kes_beside_it_by_a_call(box: Sandbox) -> None:
    assert box._s3 is not None
    assert box._s3._run is not None
    assert box._kes is not None
    kms = box._s3._run._kms
    assert isinstance(kms, KesKms)
    assert isinstance(kms._link, Link)
    assert kms._link._inside == box._kes.inside
