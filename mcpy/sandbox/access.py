"""How to reach a running sandbox: addresses, credentials, certificates, environments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mcpy.errors import ConfigError
from mcpy.sandbox import certs

if TYPE_CHECKING:
    from pathlib import Path

    from mcpy.models import Alias
    from mcpy.sandbox.home import Home
    from mcpy.sandbox.kes.service import KesService
    from mcpy.sandbox.s3_service import S3Service


class Access:
    """What clients need to know of a sandbox; addresses are empty while it does not run."""

    home: Home
    _like: str | None
    _tls: bool
    _s3: S3Service | None
    _kes: KesService | None

    @property
    def s3_url(self) -> str:
        """Address of the S3 and admin API."""
        return self._s3.url if self._s3 else ""

    @property
    def kes_url(self) -> str:
        """Address of the KES."""
        return self._kes.server.url if self._kes else ""

    @property
    def like(self) -> str:
        """The server the S3 server is like."""
        return self._s3.like.name if self._s3 else self._like or "minio"

    @property
    def region(self) -> str:
        """The only region requests may be signed for, empty for any."""
        return self._s3.like.region if self._s3 else ""

    @property
    def access_key(self) -> str:
        """The S3 server's root user, as its environment file has it now."""
        return self._environment().get("MINIO_ROOT_USER", "")

    @property
    def secret_key(self) -> str:
        """The S3 server's root password, as its environment file has it now."""
        return self._environment().get("MINIO_ROOT_PASSWORD", "")

    @property
    def ca(self) -> Path:
        """The certificate that vouches for both servers."""
        return self.home.certs / "ca.crt"

    @property
    def client_key(self) -> Path:
        """Private key of the KES's administrator."""
        return self.home.certs / "root.key"

    @property
    def client_cert(self) -> Path:
        """Certificate of the KES's administrator."""
        return self.home.certs / "root.cert"

    @property
    def api_key(self) -> str:
        """API key of the KES's administrator."""
        return certs.api_key_of(self.client_key.read_bytes())

    @property
    def minio_api_key(self) -> str:
        """API key of the S3 server's own identity, which may use every key but delete none."""
        return certs.api_key_of((self.home.certs / "minio.key").read_bytes())

    @property
    def failure(self) -> str | None:
        """Why the S3 server did not come up after its last restart, or None."""
        return self._s3.failure if self._s3 else None

    def _environment(self) -> dict[str, str]:
        if not self.home.env_file.exists():
            raise ConfigError("the sandbox was not started yet", hint="call its start() first")
        return self.home.environment()

    def _check_running(self) -> None:
        if not (self._s3 and self._kes):
            raise ConfigError("the sandbox does not run", hint="call its start() first")

    def env(self) -> dict[str, str]:
        """Return the variables that make ``mcpy kes`` and ``kes`` talk to this KES.

        Like all that holds an address, it raises ConfigError while the sandbox does not run.
        """
        self._check_running()
        return {
            "KES_SERVER": self.kes_url,
            "KES_CLIENT_KEY": str(self.client_key),
            "KES_CLIENT_CERT": str(self.client_cert),
            "MCPY_KES_CA": str(self.ca),
        }

    def s3_env(self) -> dict[str, str]:
        """Return the variables that make the AWS CLI and SDKs talk to this S3 server."""
        self._check_running()
        variables = {
            "AWS_ENDPOINT_URL_S3": self.s3_url,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_REGION": self.region or "us-east-1",
        }
        return variables | ({"AWS_CA_BUNDLE": str(self.ca)} if self._tls else {})

    def client_kwargs(self) -> dict[str, Any]:
        """Return the arguments of ``boto3.client("s3", ...)`` for this S3 server."""
        self._check_running()
        arguments: dict[str, Any] = {
            "endpoint_url": self.s3_url,
            "aws_access_key_id": self.access_key,
            "aws_secret_access_key": self.secret_key,
            "region_name": self.region or "us-east-1",
        }
        return arguments | ({"verify": str(self.ca)} if self._tls else {})

    def alias(self, name: str = "play") -> Alias:
        """Return this sandbox as an alias for ``mcpy.api`` and the alias store."""
        from mcpy.models import Alias, KesProfile

        self._check_running()
        return Alias(
            name,
            self.s3_url,
            self.access_key,
            self.secret_key,
            region=self.region,
            ca=str(self.ca) if self._tls else "",
            kes=KesProfile(
                server=self.kes_url,
                client_cert=str(self.client_cert),
                client_key=str(self.client_key),
                ca=str(self.ca),
            ),
        )
