"""Every command, with a secret wherever one can stand, against servers that repeat it or fail."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import httpx
import pytest

from mcpy.models import Alias, KesProfile
from tests.running import ACCESS_KEY, KES_API_KEY, URL
from tests.stub import s3_error

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.running import Mcpy
    from tests.stub import Server

SECRET = "hush-hush-0123456789"
TOKEN = "token-token-0123456789"
HEADER = "header-header-0123456789"

COMMANDS = [
    "alias list",
    "alias list play",
    "alias set new http://s3.test ACCESS SECRET",
    "alias set new http://s3.test ACCESS short",
    "alias set new http://ACCESS:SECRET@s3.test",
    "alias set new SECRET ACCESS SECRET",
    "alias remove play",
    "alias import imp FILE",
    "alias import imp BADFILE",
    "alias import --from-mc FILE",
    "mb play/bucket",
    "rb play/bucket",
    "rb --force play/bucket",
    "ls play",
    "ls -r play/bucket",
    "ls --versions play/bucket",
    "stat play/bucket",
    "stat play/bucket/key",
    "cat play/bucket/key",
    "cp play/bucket/key TARGET",
    "cp FILE play/bucket/key",
    "cp play/bucket/a play/bucket/b",
    "rm play/bucket/key",
    "encrypt set sse-s3 play/bucket",
    "encrypt set sse-kms key play/bucket",
    "encrypt info play/bucket",
    "encrypt clear play/bucket",
    "admin info play",
    "admin service restart play",
    "admin service restart --force play",
    "admin service stop play",
    "admin service freeze play",
    "admin service unfreeze play",
    "admin kms key create play key",
    "admin kms key list play",
    "admin kms key status play",
    "admin kms env play --key key",
    "admin kms env play --key key --write TARGET",
    "ready play",
    "kes key create key",
    "kes key info key",
    "kes key ls",
    "kes key rm --yes --without-impact key",
    "kes status",
    "kes status --api-key APIKEY",
    "kes status --alias play",
    "kes identity of APIKEY",
    "kes identity of SECRET",
    "ls SECRET@play",
    "--timeout SECRET ls play",
    "-H SECRET ls play",
    "--nonsense=SECRET ls play",
]
FAILURES: dict[str, Callable[[str], httpx.Response]] = {
    "denied": lambda echo: s3_error(403, "AccessDenied", echo),
    "broken": lambda echo: httpx.Response(
        400, json={"message": echo, "Message": echo, "Code": "Odd", "Key": echo}
    ),
    "nonsense": lambda echo: httpx.Response(200, text=echo),
}
# where a command repeats what is no secret in its place: the user typed it as a name
NOT_SECRET_THERE = {"ls SECRET@play", "--timeout SECRET ls play", "--nonsense=SECRET ls play"}


@pytest.fixture
def places(mcpy: Mcpy, tmp_path: Path) -> dict[str, str]:
    """Put the secrets into alias, environment and files; return what the words above mean."""
    kes = KesProfile("https://kes.test:7373", api_key=KES_API_KEY)
    mcpy.store.put(Alias("play", URL, ACCESS_KEY, SECRET, TOKEN, kes=kes))
    mcpy.env |= {
        "KES_SERVER": "https://kes.test:7373",
        "KES_API_KEY": KES_API_KEY,
        "MC_HOST_env": f"http://{ACCESS_KEY}:{SECRET}:{TOKEN}@env.test",
        "MC_HOST_bad": f"nonsense {SECRET}",
        "MCPY_CUSTOM_HEADER": f"Authorization-Extra: {HEADER}",
    }
    mcpy.secrets |= {SECRET, TOKEN, HEADER, base64.b64encode(SECRET.encode()).decode()}
    (tmp_path / "file.json").write_text(
        json.dumps({"url": "http://i.test", "accessKey": ACCESS_KEY, "secretKey": SECRET})
    )
    (tmp_path / "bad.json").write_text(f"{SECRET} is no JSON")
    return {
        "ACCESS": ACCESS_KEY,
        "SECRET": SECRET,
        "APIKEY": KES_API_KEY,
        "BADFILE": str(tmp_path / "bad.json"),
        "FILE": str(tmp_path / "file.json"),
        "TARGET": str(tmp_path / "target"),
    }


def known_to(request: httpx.Request) -> str:
    """Return the secrets a server could repeat: those the request was made with."""
    if request.url.host.startswith("kes"):
        return f"you sent {KES_API_KEY} {HEADER}"
    token = request.headers.get("x-amz-security-token", "")
    return f"you sent {SECRET} {token} {HEADER}"


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("form", [["--debug"], ["--debug", "--json"]], ids=["text", "json"])
@pytest.mark.parametrize("line", sorted(set(COMMANDS) - NOT_SECRET_THERE))
def test_no_secret_is_printed(
    mcpy: Mcpy, server: Server, places: dict[str, str], line: str, form: list[str], failure: str
) -> None:
    if line.startswith("cat") and failure == "nonsense":
        pytest.skip("what an object holds is printed as it is")
    server.afterwards = lambda request: FAILURES[failure](known_to(request))
    args = line.split()
    for word, meaning in places.items():
        args = [arg.replace(word, meaning) for arg in args]
    result = mcpy(*form, "--timeout", "300ms", "--retries", "0", *args)
    # the fixture has looked for the secrets in both streams
    assert result.exit_code in range(9)
    assert "Traceback" not in result.stderr


@pytest.mark.usefixtures("places")
@pytest.mark.parametrize("line", ["alias export play", "alias list play --show-secrets"])
def test_a_command_whose_purpose_it_is_prints_them(mcpy: Mcpy, line: str) -> None:
    result = mcpy(*line.split(), reveals=True)
    assert result.exit_code == 0
    assert SECRET in result.stdout
