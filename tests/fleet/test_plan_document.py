"""The file of ``encrypt plan``: what it says, and where it says something that cannot be."""

from __future__ import annotations

import pytest

from mcpy.errors import ConfigError
from mcpy.fleet.audit.requirement import Requirement
from mcpy.fleet.plan.document import (
    NONE,
    WantedBucket,
    WantedKey,
    line_of,
    read,
)
from mcpy.models import BucketEncryption, KeyName

FILE = """\
# a comment
[keys."prod/finance"]
create = true
[keys."prod/old"]

[buckets."prod/invoices"]
encryption = "sse-kms"
key = "finance"
require = "sse-kms:finance"
uploads = "same"

[buckets."test/logs-*"]
encryption = "none"
[buckets."test/free"]
uploads = "any"
"""


def test_every_field_is_read_and_what_is_not_said_is_none() -> None:
    found = read(FILE, "f")
    assert found.keys == (
        WantedKey("prod", KeyName("finance"), create=True),
        WantedKey("prod", KeyName("old")),
    )
    assert found.buckets == (
        WantedBucket(
            "prod",
            "invoices",
            BucketEncryption("aws:kms", "finance"),
            Requirement("sse-kms", "finance"),
            "same",
        ),
        WantedBucket("test", "logs-*", NONE),
        WantedBucket("test", "free", uploads="any"),
    )
    assert found.aliases == ["prod", "test"]
    assert found.creates("prod", "finance")
    assert not found.creates("prod", "old")
    assert [str(entry) for entry in found.buckets if entry.pattern] == ["test/logs-*"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = ", "f is not TOML: invalid value (at end of document)"),
        ("a = 1\na = 2\n", "f is not TOML: cannot overwrite a value (at line 2, column 6)"),
        ("", "f names no key and no bucket"),
        ("\n[bucket.x]\n", "f, line 2: nothing is called `bucket` here: did you mean `buckets`?"),
        (
            "secret = 1\n",
            "f, line 1: nothing is called `secret` here (known: keys, buckets)",
        ),
        ("keys = 3\n", 'f, line 1: `keys` is not a table: [keys."ALIAS/NAME"]'),
        (
            '[buckets."a/bbb"]\n\nencryptionX = "sse-s3"\n',
            'f, line 3: [buckets."a/bbb"] nothing is called `encryptionX` here: '
            "did you mean `encryption`?",
        ),
        (
            '[keys."a/k"]\ncreate = "yes"\n',
            'f, line 2: [keys."a/k"] `create` is not true or false',
        ),
        (
            '[buckets."a/bbb"]\nkey = 1\n',
            'f, line 2: [buckets."a/bbb"] `key` is not a text in quotes',
        ),
        (
            "[keys.finance]\n",
            'f, line 1: [keys."finance"] a table is called [keys."ALIAS/NAME"]',
        ),
        ('[keys]\n"a/k" = 3\n', 'f, line 2: [keys."a/k"] a table is called [keys."ALIAS/NAME"]'),
        (
            '[buckets."a/bbb/prefix"]\n',
            'f, line 1: [buckets."a/bbb/prefix"] `a/bbb/prefix` is not ALIAS/NAME: '
            "an encryption is a bucket's",
        ),
        (
            '[buckets."1/bbb"]\n',
            'f, line 1: [buckets."1/bbb"] `1` is not an alias name: '
            "a letter, then letters, digits, `-` and `_`",
        ),
        (
            '[buckets."a/B"]\n',
            'f, line 1: [buckets."a/B"] `B` is not a bucket name: '
            "3-63 lower-case letters, digits, `-` and `.`",
        ),
        (
            '[keys."a/b/c"]\n',
            'f, line 1: [keys."a/b/c"] `b/c` is not a key name: '
            "1-80 letters, digits, `-` and `_`, no `-` at either end",
        ),
        (
            '[buckets."a/bbb"]\nencryption = "aes"\n',
            'f, line 2: [buckets."a/bbb"] `aes` is not sse-s3, sse-kms or none',
        ),
        (
            '[buckets."a/bbb"]\nencryption = "sse-kms"\n',
            'f, line 2: [buckets."a/bbb"] `key` and `encryption = "sse-kms"` go together',
        ),
        (
            '[buckets."a/bbb"]\nencryption = "sse-s3"\nkey = "k"\n',
            'f, line 3: [buckets."a/bbb"] `key` and `encryption = "sse-kms"` go together',
        ),
        (
            '[buckets."a/bbb"]\nencryption = "sse-kms"\nkey = "-"\n',
            'f, line 3: [buckets."a/bbb"] `-` is not a key name: '
            "1-80 letters, digits, `-` and `_`, no `-` at either end",
        ),
        (
            '[buckets."a/bbb"]\nrequire = "sse-c"\n',
            'f, line 2: [buckets."a/bbb"] `sse-c` is not sse-s3, sse-kms, sse-kms:KEY or any',
        ),
        (
            '[buckets."a/bbb"]\nuploads = "some"\n',
            'f, line 2: [buckets."a/bbb"] `some` is not any, same-or-default or same',
        ),
        (
            '[buckets."a/bbb"]\nencryption = "none"\nuploads = "same"\n',
            'f, line 3: [buckets."a/bbb"] `uploads` needs `encryption`, to say what is let in',
        ),
    ],
)
def test_what_cannot_be_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text, "f")
    assert str(caught.value) == message


def test_a_field_is_found_in_its_own_table_only() -> None:
    text = '[keys."a/k"]\ncreate = true\n[[odd\n[keys."a/l"]\n\ncreate = 1\n'
    assert line_of(text, ("keys", "a/l"), "create") == 6
    assert line_of(text, ("keys", "a/l"), "") == 4
    assert line_of('keys = {"a/k" = {create = 1}}', ("keys", "a/k"), "create") == 0
