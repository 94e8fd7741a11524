"""A token endpoint of Entra for one client, with tokens an emulator of Key Vault can verify."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.keystores.http_server import Answer

if TYPE_CHECKING:
    from tests.keystores.http_server import Call

TENANT = "11111111-2222-3333-4444-555555555555"
SECRET = "throw-away-client-secret"
LOGIN = "https://login.microsoftonline.com"
ISSUER = f"{LOGIN}/{TENANT}/v2.0"


def _new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@dataclass(frozen=True)
class Entra:
    """One tenant with one client; ``/keys`` has what verifies its tokens."""

    key: rsa.RSAPrivateKey = field(default_factory=_new_key)

    def answer(self, call: Call) -> Answer:
        if call.path == "/keys":
            numbers = self.key.public_key().public_numbers()
            jwk = {"kty": "RSA", "kid": "1", "n": _number(numbers.n), "e": _number(numbers.e)}
            return Answer(200, {"keys": [jwk]})
        if "discovery/instance" in call.path:
            known = ["login.microsoftonline.com", "login.windows.net"]
            hosts = {"preferred_network": known[0], "preferred_cache": known[1], "aliases": known}
            end = f"{ISSUER}/.well-known/openid-configuration"
            return Answer(200, {"tenant_discovery_endpoint": end, "metadata": [hosts]})
        if call.path.endswith("openid-configuration"):
            at = f"{LOGIN}/{TENANT}/oauth2/v2.0"
            ends = {"token_endpoint": f"{at}/token", "authorization_endpoint": f"{at}/authorize"}
            return Answer(200, ends | {"issuer": ISSUER})
        if f"client_secret={SECRET}".encode() not in call.body:
            words = "AADSTS7000215: Invalid client secret provided."
            return Answer(401, {"error": "invalid_client", "error_description": words})
        body = {"token_type": "Bearer", "expires_in": 3599, "access_token": self._token()}
        return Answer(200, body)

    def _token(self) -> str:
        claims = {"iss": ISSUER, "aud": "https://vault.azure.net", "tid": TENANT,
                  "appid": "kes", "sub": "kes", "idtyp": "app"}  # fmt: skip
        return self.signed(claims)

    def signed(self, claims: dict[str, str]) -> str:
        """Return a JWT of these claims, good for an hour."""
        head = {"alg": "RS256", "kid": "1", "typ": "JWT"}
        now = int(time.time())
        body: dict[str, object] = {**claims, "iat": now, "nbf": now - 60, "exp": now + 3600}
        signed = ".".join(_text(json.dumps(part).encode()) for part in (head, body))
        mark = self.key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_text(mark)}"


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _number(value: int) -> str:
    return _text(value.to_bytes((value.bit_length() + 7) // 8))
