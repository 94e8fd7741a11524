"""Every error mcpy raises on purpose, and the one function that turns an error into an exit code.

    McpyError                     1   failed
    ├── InputError                2   the command line asks for something that cannot be
    ├── FindingError              3   a check found what it looks for
    ├── ConfigError               1   the config file or the environment is unusable
    │   └── NoAliasError          5   no such alias
    ├── NotFoundError             5   something that had to be there
    ├── UnreachableError          6   no answer: refused, cut off, not trusted
    │   ├── NotReachedError       6   not even a connection
    │   └── DeadlineError         6   no answer in time
    ├── ProtocolError             1   an answer that is not the protocol's
    │   └── IntegrityError        1   bytes that are not what was sent
    ├── UnsupportedError          7   this server cannot do it
    ├── PartialError              8   some of several were done
    ├── Interrupted             130   SIGINT
    │   └── Terminated          143   SIGTERM
    └── ApiError          1 4 5 6 7   a server's own refusal, by status and code
        ├── S3Error                   S3, admin and KMS calls of MinIO
        └── KesError                  KES calls

Messages are lower case, name the thing, and end without a full stop; ``hint`` is the next command
to type. No message holds a secret.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any


class ExitCode(IntEnum):
    """What the process answers to its caller."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    FINDING = 3
    DENIED = 4
    NOT_FOUND = 5
    UNREACHABLE = 6
    UNSUPPORTED = 7
    PARTIAL = 8
    INTERRUPTED = 130
    TERMINATED = 143


EXIT_CODE_MEANINGS: dict[ExitCode, str] = {
    ExitCode.DONE: "done",
    ExitCode.FAILED: "failed, or the answer at a prompt was no",
    ExitCode.USAGE: "usage: the command line cannot be understood",
    ExitCode.FINDING: "finding: an audit violation, drift, or an impact that is not zero",
    ExitCode.DENIED: "denied: credentials or permissions",
    ExitCode.NOT_FOUND: "not found: alias, bucket, object, key, encryption configuration",
    ExitCode.UNREACHABLE: "unreachable or timed out",
    ExitCode.UNSUPPORTED: "unsupported by this server",
    ExitCode.PARTIAL: "partly done: some of several targets failed, or an answer is not complete",
    ExitCode.INTERRUPTED: "interrupted (Ctrl-C)",
    ExitCode.TERMINATED: "terminated (SIGTERM, or its terminal was closed)",
}


class McpyError(Exception):
    """The root of the tree; ``str()`` is the one line the user sees."""

    code = ExitCode.FAILED

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def cause(self) -> dict[str, Any]:
        """Return what stands under ``error.cause`` in JSON output, as ``mc`` shapes it."""
        return {"message": self.hint or "", "error": {}}


class DeclinedError(McpyError):
    """Somebody was asked and said no."""

    def __init__(self) -> None:
        super().__init__("nothing was done")


class InputError(McpyError):
    """An argument, option or combination of them that cannot be."""

    code = ExitCode.USAGE


class FindingError(McpyError):
    """A check that found what it looks for; not a malfunction."""

    code = ExitCode.FINDING


class ConfigError(McpyError):
    """A config file, environment variable, key or certificate file that cannot be used."""


class NoAliasError(ConfigError):
    """An alias nobody set."""

    code = ExitCode.NOT_FOUND

    def __init__(self, name: str) -> None:
        super().__init__(
            f"no alias `{name}`", hint=f"mcpy alias set {name} URL ACCESSKEY SECRETKEY"
        )


class NotFoundError(McpyError):
    """Something that had to be there is not."""

    code = ExitCode.NOT_FOUND


class UnreachableError(McpyError):
    """No answer from a server."""

    code = ExitCode.UNREACHABLE


class NotReachedError(UnreachableError):
    """No connection was made, so nothing was asked for."""


class DeadlineError(UnreachableError):
    """No answer before the command's deadline."""


class ProtocolError(McpyError):
    """An answer that the protocol does not allow: not S3, not KES, not even HTTP."""


class IntegrityError(ProtocolError):
    """Bytes that fail their checksum, tag or length."""


class UnsupportedError(McpyError):
    """The server answered that it cannot do this."""

    code = ExitCode.UNSUPPORTED


class PartialError(McpyError):
    """Some of several targets failed; each was reported when it did."""

    code = ExitCode.PARTIAL


class Interrupted(McpyError):  # noqa: N818 - a signal, not an error
    """The user pressed Ctrl-C."""

    code = ExitCode.INTERRUPTED


class Terminated(Interrupted):
    """The process was asked to end."""

    code = ExitCode.TERMINATED


_DENIED = {
    "AccessDenied",
    "AllAccessDisabled",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidTokenId",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "XMinioAdminInvalidAccessKey",
}
_WRONG_KEYS = _DENIED - {"AccessDenied", "AllAccessDisabled", "RequestTimeTooSkewed"}
_UNSUPPORTED = {"NotImplemented", "XMinioAdminVersionMismatch"}
_BUSY = {429, 503, 504}
# with status 500: what a MinIO says when its KMS, or the store behind that, does not answer;
# a key that is missing, denied or wrong has statuses of its own
_KMS_SILENT = {"kms:KeyGenerationFailed", "kms:DecryptionFailed"}
_KMS_SILENT_WORDS = "kes: connection error"


class ApiError(McpyError):
    """A server's refusal in its own protocol.

    Attributes:
        status: the HTTP status.
        api_code: the protocol's code (``NoSuchBucket``), or ``""`` where it has none.
        server_message: the server's words, possibly empty.
        fields: what else the error document held, by its own names.
    """

    def __init__(
        self,
        status: int,
        api_code: str,
        server_message: str,
        *,
        fields: dict[str, str] | None = None,
        hint: str | None = None,
    ) -> None:
        self.status = status
        self.api_code = api_code
        self.server_message = server_message
        self.fields = fields or {}
        super().__init__(self._line(), hint=hint)

    def wants(self, permission: str) -> None:
        """Name the permission, such as ``s3:GetObject``, that it was refused for want of."""
        self.message = f"{self.message} ({permission} is needed)"
        self.args = (self.message,)

    @property
    def kms_silent(self) -> bool:
        """Whether a MinIO refused because its KMS does not answer."""
        said = self.api_code in _KMS_SILENT or says_kms_silent(self.server_message)
        return self.status == 500 and said

    @property
    def keys_refused(self) -> bool:
        """Whether it is the credentials themselves that a MinIO does not take."""
        minio = self.fields.get("Server", "").startswith("MinIO")
        return minio and self.api_code in _WRONG_KEYS

    def _line(self) -> str:
        text = self.server_message.strip().rstrip(".")
        head = self.api_code or f"HTTP {self.status}"
        place = "/".join(filter(None, (self.fields.get("BucketName"), self.fields.get("Key"))))
        line = f"{head}: {text}" if text else f"{head} (the server gave no reason)"
        return f"{line}: `{place}`" if place and place not in text else line

    def cause(self) -> dict[str, Any]:
        """Return mc's ``cause`` object: the server's message and the fields of its error."""
        return {
            "message": self.server_message,
            "error": {
                "Code": self.api_code,
                "Message": self.server_message,
                "BucketName": self.fields.get("BucketName", ""),
                "Key": self.fields.get("Key", ""),
                "Resource": self.fields.get("Resource", ""),
                "RequestID": self.fields.get("RequestId", ""),
                "HostID": self.fields.get("HostId", ""),
                "Region": self.fields.get("Region", ""),
                "Server": self.fields.get("Server", ""),
            },
        }


class S3Error(ApiError):
    """A refusal of an S3, admin or KMS call."""


class KesError(ApiError):
    """A refusal of a KES call; KES has messages but no codes."""

    def __init__(self, status: int, server_message: str, *, hint: str | None = None) -> None:
        super().__init__(status, "", server_message, hint=hint)

    def _line(self) -> str:
        return self.server_message or f"KES answered HTTP {self.status} without a reason"


def exit_code(error: BaseException) -> ExitCode:
    """Map any error to the process's exit code; what is not ours is a failure."""
    if isinstance(error, ApiError):
        return _api_exit_code(error)
    return error.code if isinstance(error, McpyError) else ExitCode.FAILED


def _api_exit_code(error: ApiError) -> ExitCode:
    if error.code is not ExitCode.FAILED:
        return error.code  # the kind of error says it, whatever the status
    if error.status in {501, 426} or error.api_code in _UNSUPPORTED:
        return ExitCode.UNSUPPORTED
    if error.api_code in _DENIED or error.status in {401, 403}:
        return ExitCode.DENIED
    if error.status == 404:
        return ExitCode.NOT_FOUND
    away = error.status in _BUSY or error.kms_silent
    return ExitCode.UNREACHABLE if away else ExitCode.FAILED


def says_kms_silent(text: str) -> bool:
    """Whether a MinIO's words are those of a KMS that does not answer it."""
    return _KMS_SILENT_WORDS in text
