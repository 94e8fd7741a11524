"""What man pages and README say besides commands: environment, files, exit codes."""

from __future__ import annotations

from mcpy.cli.kes_access import PASSWORD_VARIABLE
from mcpy.cli.multipart import PART_COUNT_VARIABLES, PART_SIZE_VARIABLES
from mcpy.cli.options import GLOBAL_OPTIONS, variable_names
from mcpy.config import FILE_NAME
from mcpy.environment import HOST_FILE_VARIABLES, KES_VARIABLES, REGION_VARIABLES
from mcpy.errors import EXIT_CODE_MEANINGS

_KES_MEANINGS = {
    "server": "The KES: `HOST[:PORT]`, or several with commas.",
    "api_key": "Who asks, as an API key.",
    "client_key": "Who asks, as a private key file ...",
    "client_cert": "... and its certificate file.",
    "ca": "Who issued KES's certificate: a PEM file or a folder.",
}

FILES: tuple[tuple[str, str], ...] = (
    (
        f"~/.config/mcpy/{FILE_NAME}",
        "The aliases, readable by their owner only. On macOS it lies in "
        "`~/Library/Application Support/mcpy`. `XDG_CONFIG_HOME`, `MCPY_CONFIG_DIR` and "
        "`--config-dir` say otherwise, each before the one named earlier.",
    ),
    (
        "~/.local/share/mcpy/sandbox",
        "The sandbox: keys, credentials, objects. `mcpy sandbox start --dir DIR` says otherwise.",
    ),
    ("~/.mc/config.json", "Read by `mcpy alias import --from-mc`, never written."),
)


def exit_codes() -> list[tuple[int, str]]:
    """Return each exit code and what it means."""
    return [(int(code), meaning) for code, meaning in EXIT_CODE_MEANINGS.items()]


def option_variables() -> list[tuple[str, str]]:
    """Return the names of each global option in the environment; the first goes before."""
    return [
        (_names(variable_names(option)), f"Same as `{option.opts[0]}`.")
        for option in GLOBAL_OPTIONS
    ]


def variables() -> list[tuple[str, str]]:
    """Return the other names, first the one that goes before, and what they mean."""
    kes = [(_names(names), _KES_MEANINGS[field]) for field, names in KES_VARIABLES.items()]
    return [
        ("NO_COLOR", "Any value but the empty one: no colour."),
        (
            "HTTP_PROXY, HTTPS_PROXY",
            "The proxy for URLs by `http` and `https`: `http://[USER:PASSWORD@]HOST:PORT`.",
        ),
        (
            "NO_PROXY",
            "Servers asked without one: names and what lies below them, addresses, "
            "either with `:PORT`, networks, or `*`. This machine always is.",
        ),
        (
            "MCPY_HOST_ALIAS, MC_HOST_ALIAS",
            "An alias without a file: `https://ACCESSKEY:SECRETKEY@HOST[:PORT]`. Keys are "
            "percent-encoded in `MCPY_HOST_*` and are not in `MC_HOST_*`.",
        ),
        (
            ", ".join(HOST_FILE_VARIABLES),
            "A file with lines `MC_HOST_ALIAS=URL`: aliases after those of the environment.",
        ),
        (", ".join(REGION_VARIABLES), "The region to sign for, where the alias names none."),
        (
            "MCPY_ENC_S3, MC_ENC_S3, MCPY_ENC_KMS, MC_ENC_KMS, MCPY_ENC_C, MC_ENC_C",
            "Same as `--enc-s3`, `--enc-kms` and `--enc-c`; several with commas.",
        ),
        (", ".join(PART_SIZE_VARIABLES), "The size of an upload's parts, from 5MiB. [16MiB]"),
        (", ".join(PART_COUNT_VARIABLES), "Same as `cp --parallel`."),
        *kes,
        (PASSWORD_VARIABLE, "The password of an encrypted client key file."),
        ("HTTP_PROXY, HTTPS_PROXY, NO_PROXY", "As everywhere; never for loopback."),
    ]


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(names)
