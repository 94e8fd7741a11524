"""No object that holds a secret shows it when it is printed, as a traceback would."""

from __future__ import annotations

import pytest

from mcpy.api.http import Answer, HttpOptions
from mcpy.api.kes import DataKey
from mcpy.api.sigv4 import SigV4Auth
from mcpy.api.tls import ClientCertificate
from mcpy.cli.kes_access import KesOptions
from mcpy.cli.options import Settings
from mcpy.models import Alias, KesProfile

SECRET = "hush-hush-secret"
HEADERS = (("Authorization", SECRET),)


@pytest.mark.parametrize(
    "holder",
    [
        Alias("play", "http://s3.test", "access", SECRET, SECRET, kes=KesProfile(api_key=SECRET)),
        KesProfile(api_key=SECRET),
        KesOptions(api_key=SECRET),
        SigV4Auth("access", SECRET, SECRET),
        ClientCertificate(api_key=SECRET, password=lambda: SECRET),
        HttpOptions(headers=HEADERS),
        Settings(custom_header=HEADERS),
        DataKey(SECRET.encode(), b"sealed"),
        Answer("GET", 200, {}, SECRET.encode()),
    ],
    ids=lambda holder: type(holder).__name__,
)
def test_the_repr_does_not_show_the_secret(holder: object) -> None:
    assert SECRET not in repr(holder)
