"""S3 Select: queries over CSV and JSON, and the stream of messages that answers them."""

from __future__ import annotations

import bz2
import gzip
import struct
import zlib
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.s3_calls import S3, Server, client_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.s3_calls import Answer

PEOPLE = b'name,age,city\nAnn,31,Rome\nBob,9,"New\nYork"\nCid,,Oslo\n'
NESTED = (
    b'{"id": 1, "tags": ["a", "b"], "who": {"name": "Ann", "age": 31.5}, "ok": true}\n'
    b'{"id": 2, "tags": [], "who": {"name": null}}\n'
    b'{"id": 30, "tags": ["c"]}\n'
)


class Messages(NamedTuple):
    """What an answer is made of."""

    kinds: list[str]
    records: str
    stats: str
    error: str


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "data")
    server("PUT", "/bkt")
    server("PUT", "/bkt/people", body=PEOPLE, headers=S3)
    server("PUT", "/bkt/nested", body=NESTED)
    yield server
    server.close()


CSV_IN = "<CSV><FileHeaderInfo>USE</FileHeaderInfo></CSV>"
JSON_IN = "<JSON><Type>LINES</Type></JSON>"


def ask(
    s3: Server,
    sql: str,
    key: str = "people",
    source: str = CSV_IN,
    target: str = "<CSV/>",
    *,
    more: str = "",
    headers: dict[str, str] | None = None,
) -> Answer:
    sql = sql.replace("&", "&amp;").replace("<", "&lt;")
    body = (
        f"<SelectObjectContentRequest><Expression>{sql}</Expression>"
        f"<ExpressionType>SQL</ExpressionType>{more}"
        f"<InputSerialization>{source}</InputSerialization>"
        f"<OutputSerialization>{target}</OutputSerialization></SelectObjectContentRequest>"
    )
    return s3("POST", f"/bkt/{key}", "select=&select-type=2", headers, body)


def messages(answer: Answer) -> Messages:
    """Take an answer apart; every length and checksum in it has to be right."""
    assert answer.status == 200, answer.text
    left, kinds, found = answer.body, [], {"Records": b"", "Stats": b"", "error": b""}
    while left:
        total, head, crc = struct.unpack(">III", left[:12])
        assert crc == zlib.crc32(left[:8])
        assert struct.unpack(">I", left[total - 4 : total])[0] == zlib.crc32(left[: total - 4])
        headers, at = {}, 12
        while at < 12 + head:
            name_end = at + 1 + left[at]
            size = struct.unpack(">H", left[name_end + 1 : name_end + 3])[0]
            name = left[at + 1 : name_end].decode()
            headers[name] = left[name_end + 3 : name_end + 3 + size].decode()
            at = name_end + 3 + size
        kind = headers.get(":event-type", "error")
        kinds.append(kind)
        found[kind] = found.get(kind, b"") + left[at : total - 4]
        if kind == "error":
            found[kind] = f"{headers[':error-code']}: {headers[':error-message']}".encode()
        left = left[total:]
    return Messages(
        kinds, found["Records"].decode(), found["Stats"].decode(), found["error"].decode()
    )


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select * from s3object", 'Ann,31,Rome\nBob,9,"New\nYork"\nCid,,Oslo\n'),
        ("SELECT s.name, age FROM S3Object s WHERE s.age > 10", "Ann,31\n"),
        ("select s.\"name\" from S3Object AS s where s.city like '_o%' limit 1", "Ann\n"),
        ("select s._2 from S3Object s where s._1 = 'Bob'", "9\n"),
        ("select count(*), sum(cast(s.age as int)) from S3Object s where s.age <> ''", "2,40\n"),
        ("select min(age), max(age), avg(age) from S3Object where age != ''", "9,31,20\n"),
        ("select upper(name) || '!' from S3Object where not age = '31'", "BOB!\nCID!\n"),
        ("select name from S3Object where age in (9, 10) or city = 'Oslo'", "Bob\nCid\n"),
        ("select name from S3Object where age between 9 and 30", "Bob\n"),
        ("select cast(age as float) / 2 from S3Object where name = 'Ann'", "15.5\n"),
        ("select 7 / 2, 7 % 4, -2 * 3 + 1, 1e3 from S3Object limit 1", "3,3,-5,1000\n"),
        ("select substring(name from 2 for 1), substring(name, 3) from S3Object limit 1", "n,n\n"),
        ("select trim(both 'x' from 'xax'), trim('  b ') from S3Object limit 1", "a,b\n"),
        ("select trim(leading 'x' from 'xax'), char_length(name) from S3Object limit 1", "ax,3\n"),
        ("select coalesce(s.nope, name), nullif(name, 'Ann') from S3Object s limit 1", "Ann,\n"),
        ("select name from S3Object s where s.nope is missing limit 1", "Ann\n"),
        ("select name from S3Object s where s.nope is not null", ""),
        ("select name from S3Object where name like 'A!%%' escape '!'", ""),
        ("select cast('true' as bool), cast(1 as string) from S3Object limit 1", "true,1\n"),
        (
            "select cast('2020-01-01T00:00:00Z' as timestamp) from S3Object limit 1",
            "2020-01-01T00:00:00Z\n",
        ),
    ],
)
def test_a_query_over_csv(s3: Server, sql: str, expected: str) -> None:
    assert messages(ask(s3, sql)).records == expected


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select * from S3Object s where s.id = 30", '{"id":30,"tags":["c"]}\n'),
        (
            "select s.who.name, s.tags[1] as second from S3Object s where s.ok = true",
            '{"name":"Ann","second":"b"}\n',
        ),
        (
            "select s.id from S3Object s where s.who.age > 31 and s.who.name is not null",
            '{"id":1}\n',
        ),
        ("select s.id, s.nope from S3Object s where s.who is missing", '{"id":30}\n'),
        ("select count(s.who.name) as n from S3Object s", '{"n":1}\n'),
        ("select * from S3Object[*].who w where w.age = 31.5", '{"name":"Ann","age":31.5}\n'),
        ("select t from S3Object[*].tags[*] t where t = 'c'", '{"t":"c"}\n'),
        ("select s.id from S3Object s where 'b' in s.tags", '{"id":1}\n'),
        ("select s.* from S3Object s limit 0", ""),
    ],
)
def test_a_query_over_json(s3: Server, sql: str, expected: str) -> None:
    answer = ask(s3, sql, "nested", JSON_IN, "<JSON/>")
    assert messages(answer).records == expected


def test_the_answer_ends_with_what_was_read(s3: Server) -> None:
    progress = "<RequestProgress><Enabled>true</Enabled></RequestProgress>"
    got = messages(ask(s3, "select name from S3Object", more=progress))
    assert got.kinds == ["Records", "Progress", "Stats", "End"]
    assert f"<BytesScanned>{len(PEOPLE)}</BytesScanned>" in got.stats
    assert "<BytesReturned>12</BytesReturned>" in got.stats


def test_csv_may_be_written_in_other_ways(s3: Server) -> None:
    s3("PUT", "/bkt/odd", body=b"#no\na;'it''s';c|#d|e;f;|")
    source = (
        "<CSV><RecordDelimiter>|</RecordDelimiter><FieldDelimiter>;</FieldDelimiter>"
        "<QuoteCharacter>'</QuoteCharacter><QuoteEscapeCharacter>'</QuoteEscapeCharacter>"
        "<Comments>#</Comments></CSV>"
    )
    target = "<CSV><QuoteFields>ALWAYS</QuoteFields><FieldDelimiter>;</FieldDelimiter></CSV>"
    s3("PUT", "/bkt/odd", body=b"a;'it''s';c|#d|e;f;|")
    got = messages(ask(s3, "select * from S3Object", "odd", source, target))
    assert got.records == '"a";"it\'s";"c"\n"e";"f";""\n'
    ignored = "<CSV><FileHeaderInfo>IGNORE</FileHeaderInfo></CSV>"
    got = messages(ask(s3, "select _1 from S3Object", source=ignored, target="<JSON/>"))
    assert got.records == '{"_1":"Ann"}\n{"_1":"Bob"}\n{"_1":"Cid"}\n'


@pytest.mark.parametrize(
    ("compression", "pack"), [("GZIP", gzip.compress), ("BZIP2", bz2.compress)]
)
def test_an_object_may_be_packed_and_sealed_by_its_client(
    s3: Server, compression: str, pack: type[bytes]
) -> None:
    s3("PUT", "/bkt/packed", headers=client_key(), body=pack(PEOPLE))
    source = f"<CompressionType>{compression}</CompressionType>{CSV_IN}"
    sql = "select name from S3Object limit 1"
    assert messages(ask(s3, sql, "packed", source, headers=client_key())).records == "Ann\n"
    assert ask(s3, sql, "packed", source).status == 400
    got = messages(ask(s3, sql, "people", source))
    assert got.error.startswith("InvalidCompressionFormat")


def test_a_long_object_is_answered_in_pieces(s3: Server) -> None:
    line = b'{"text": "' + b"x" * 1000 + b'", "n": 12}'
    s3("PUT", "/bkt/long", body=b"[" + b",".join([line] * 3000) + b"]")
    source = "<JSON><Type>DOCUMENT</Type></JSON>"
    sql = "select count(*) from S3Object[*][*] s where s.n = 12"
    assert messages(ask(s3, sql, "long", source)).records == "3000\n"
    s3("PUT", "/bkt/long", body=b"\n".join([line] * 3000))
    got = messages(ask(s3, "select * from S3Object", "long", JSON_IN, "<JSON/>"))
    assert got.kinds.count("Records") > 10
    assert got.records.count("\n") == 3000


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("select 1 / 0 from S3Object", "InternalError"),
        ("select name + 1 from S3Object", "InternalError"),
        ("select cast(name as int) from S3Object", "InternalError"),
        ("select cast(name as blob) from S3Object", "InternalError"),
        ("select cast(name as timestamp) from S3Object", "InternalError"),
        ("select nope(name) from S3Object", "InternalError"),
        ("select upper() from S3Object", "InternalError"),
        ("select sum(name) from S3Object", "InternalError"),
        ("select name from S3Object where 1 like 'a'", "InternalError"),
    ],
)
def test_what_cannot_be_computed_ends_the_stream(s3: Server, sql: str, code: str) -> None:
    got = messages(ask(s3, sql))
    assert got.kinds == ["error"]
    assert got.error.startswith(code)


@pytest.mark.parametrize(
    "sql",
    [
        "delete from S3Object",
        "select * from S3Object where",
        "select * from S3Object limit x",
        "select * from S3Object garbage extra",
        "select a b c from S3Object",
        "select ? from S3Object",
        "select s. from S3Object s",
        "select s[x] from S3Object s",
        "select s.[ from S3Object s",
        "select a from S3Object where a is 3",
        "select a from S3Object where a not 3",
        "select a as 3 from S3Object",
        "select (1 from S3Object",
        "select " + "(" * 300 + "1" + ")" * 300 + " from S3Object",
    ],
)
def test_what_is_no_query_is_refused(s3: Server, sql: str) -> None:
    answer = ask(s3, sql)
    assert (answer.status, answer.code) == (400, "ParseSelectFailure")


@pytest.mark.parametrize(
    ("source", "target", "code"),
    [
        ("<Parquet/>", "<CSV/>", "InvalidDataSource"),
        ("<CSV/><JSON/>", "<CSV/>", "ObjectSerializationConflict"),
        ("<CSV/>", "<CSV/><JSON/>", "ObjectSerializationConflict"),
        ("<JSON><Type>TABLE</Type></JSON>", "<CSV/>", "InvalidJsonType"),
        ("<CSV><FileHeaderInfo>MAYBE</FileHeaderInfo></CSV>", "<CSV/>", "InvalidFileHeaderInfo"),
        ("<CSV><FieldDelimiter>ab</FieldDelimiter></CSV>", "<CSV/>", "InvalidRequestParameter"),
        ("<CSV/>", "<CSV><QuoteFields>NEVER</QuoteFields></CSV>", "InvalidQuoteFields"),
        ("<CSV/><CompressionType>ZIP</CompressionType>", "<CSV/>", "InvalidCompressionFormat"),
    ],
)
def test_formats_the_server_does_not_have_are_refused(
    s3: Server, source: str, target: str, code: str
) -> None:
    assert ask(s3, "select * from S3Object", source=source, target=target).code == code


def test_a_request_has_to_be_whole_and_its_object_there(s3: Server) -> None:
    assert ask(s3, "select * from S3Object", "nope").code == "NoSuchKey"
    assert ask(s3, "").code == "MissingRequiredParameter"
    assert ask(s3, "select * from other").code == "BadTableName"
    query = "select=&select-type=2"
    assert s3("POST", "/bkt/people", query, body="<Other/>").code == "MalformedXML"
    body = "<SelectRequest><ExpressionType>KQL</ExpressionType></SelectRequest>"
    assert s3("POST", "/bkt/people", query, body=body).code == "InvalidExpressionType"


def test_broken_json_ends_the_stream(s3: Server) -> None:
    s3("PUT", "/bkt/broken", body=b'{"a": 1}\n{"a": ')
    got = messages(ask(s3, "select * from S3Object", "broken", JSON_IN, "<JSON/>"))
    assert got.error.startswith("JSONParsingError")
