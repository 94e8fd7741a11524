"""What mc and kes do badly, as measured on them, and the tests that hold mcpy to better.

One line for each weakness that was found in mc and kes; the names are of tests in this tree.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from mcpy.models import Alias
from tests.stub import kes_error, ok, s3_error

if TYPE_CHECKING:
    from tests.running import Mcpy
    from tests.stub import Server

WEAKNESSES = {
    "mc: a restart without a terminal fails, and may have happened": """
        test_a_restart_is_proven_without_a_terminal""",
    "mc: a restart is reported done before it began": """
        test_the_old_process_that_still_answers_is_not_believed test_every_node_has_to_come_back
        test_s3_has_to_answer_too test_a_dry_run_fails_for_a_node_that_is_away_or_hangs""",
    "mc: admin info of a server that is down ends with 0": """
        test_info_of_a_server_that_is_down_or_denies_is_an_error_in_json""",
    "mc: the status of a broken key is success": """
        test_status_of_a_missing_key_is_not_found
        test_status_while_the_kms_is_down_is_a_failure""",
    "mc: the creation of a key says nothing, and a key that exists is an internal error": """
        test_create_makes_a_key_and_tries_it test_a_key_that_exists_says_so_in_plain_words
        test_a_key_that_exists_is_no_error_with_if_missing""",
    "mc: a prefix changes the whole bucket; a key is ignored; nothing is read back": """
        test_a_prefix_is_refused_with_the_command_that_was_meant
        test_sse_s3_with_a_key_names_the_command_that_takes_one
        test_info_without_a_default_is_not_found
        test_set_tries_the_key_counts_the_objects_and_reads_back""",
    "mc: an unknown alias is a local path": """
        test_a_target_below_no_alias_is_an_error_and_never_a_folder""",
    "mc: a copy of an encrypted object is plaintext": """
        test_a_copy_on_the_server_stays_encrypted test_a_copy_onto_itself_is_refused
        test_a_copy_is_plaintext_only_when_that_was_asked_for""",
    "mc: a rule for one bucket covers its namesakes; padded keys are refused": """
        test_the_prefix_of_an_encryption_covers_folders_and_no_namesakes
        test_an_sse_c_key_is_read_in_every_form_and_sent_with_put_and_head""",
    "mc: secrets are printed, repeated in errors, and kept in an old file": """
        test_list_shows_every_alias_and_no_secret test_a_key_that_is_too_short_is_not_repeated
        test_a_malformed_sse_c_key_is_refused_and_not_repeated
        test_a_file_of_aliases_that_cannot_be_read_is_named_and_not_repeated
        test_a_removed_alias_leaves_its_secret_nowhere""",
    "mc: empty input makes an anonymous alias; --api skips the check": """
        test_an_empty_stdin_is_no_anonymous_alias test_empty_arguments_are_no_anonymous_alias
        test_naming_the_signature_does_not_skip_the_proof""",
    "mc: parallel changes of aliases are lost": """
        test_twelve_writers_at_once_lose_nothing""",
    "mc: success is printed before an upload fails": """
        test_an_upload_that_fails_prints_no_success""",
    "mc: what matches nothing, and what is gone, is success": """
        test_a_prefix_that_matches_nothing_is_not_found
        test_rb_of_a_bucket_that_is_not_there_is_not_found test_a_prefix_is_no_bucket""",
    "mc: usage and config errors are no JSON": """
        test_a_usage_error_is_json_when_asked_for test_a_broken_config_file_is_an_error_in_json""",
    "mc: a batch job's state needs a terminal, and failures are hidden": """
        test_a_state_needs_no_terminal test_a_job_nobody_knows_is_not_found
        test_a_failed_job_is_an_error test_a_generated_job_has_no_traps
        test_a_restart_that_is_needed_is_said_in_json""",
    "mc: a frozen server hangs every command": """
        test_a_server_frozen_twice_needs_a_second_unfreeze
        test_freeze_is_done_when_s3_is_silent test_ready_does_not_believe_a_frozen_server""",
    "mc: there is one exit code, and no end to waiting": """
        test_a_refusal_has_the_exit_code_of_its_cause test_ready_ends_when_its_time_is_over
        test_a_kms_that_is_down_is_the_error_of_the_server""",
    "kes: lists end after 1,024 keys": """
        test_a_listing_is_complete_however_often_kes_stops""",
    "kes: so does a migration": "test_a_copy_is_complete_beyond_any_page_of_kes",
    "kes: its own pattern matches nothing": "test_a_pattern_with_a_star_finds_what_it_says",
    "kes: JSON is followed by a table": "test_keys_are_listed_as_the_one_array_of_kes",
    "kes: an empty list is null": "test_a_list_of_nothing_is_an_empty_array",
    "kes: identity info ignores --json": "test_the_admin_is_told_who_it_is_in_json",
    "kes: identity info fails for all but the admin": """
        test_whoever_is_not_the_admin_is_looked_up_by_name""",
    "kes: the JSON of a key has no algorithm": "test_json_of_info_is_that_of_kes",
    "kes: the log shows nothing": "test_the_audit_log_shows_what_happens_while_it_is_followed",
    "kes: status fails when the keystore is down": """
        test_the_status_of_a_kes_whose_keystore_is_down_is_shown""",
    "kes: status names a server that did not answer": """
        test_the_status_is_of_the_server_that_answered""",
    "kes: a header has the wrong word": "test_policies_are_listed_by_name",
    "kes: there is one exit code, and help is an error": """
        test_info_of_a_missing_key_is_not_found test_being_refused_is_denied
        test_every_command_explains_itself""",
    "kes: a terminal on stderr changes stdout": """
        test_a_pipe_gets_bare_output_although_stderr_is_a_terminal""",
    "kes: final newlines are missing": "test_every_answer_ends_with_a_newline",
    "kes: half of the commands have no JSON": """
        test_a_data_key_is_json_in_a_pipe_as_in_kes
        test_json_of_create_names_the_key_and_the_change""",
    "kes: the first failure ends a command for several keys": """
        test_create_makes_many_keys test_rm_passes_over_a_missing_key_with_if_exists
        test_one_key_that_fails_does_not_stop_the_others""",
    "kes: plaintext and keys stand on the command line only": """
        test_a_message_comes_from_stdin test_a_message_is_encrypted_with_its_context
        test_a_key_file_may_hold_the_32_bytes test_a_raw_data_key_is_its_bytes_alone""",
    "kes: there is no HMAC, version or profile": """
        test_an_hmac_is_computed_by_the_server test_the_version_is_the_servers
        test_an_alias_goes_before_the_environment""",
    "kes: there is no --ca, --cert, --timeout": """
        test_options_go_before_the_environment test_a_ca_file_is_trusted_alone
        test_the_counters_end_with_the_timeout""",
    "kes: an encrypted key wants a terminal": """
        test_an_encrypted_key_opens_with_its_password
        test_a_password_comes_from_stdin_without_a_terminal""",
    "kes: counters have no end, and a rate of 0 or an empty file a stack trace": """
        test_prometheus_text_is_printed_as_sent test_a_rate_of_nothing_is_a_usage_error
        test_an_empty_certificate_is_one_line""",
    "kes: nothing checks a config": "test_a_config_is_checked_without_a_server",
    "kes: http:// becomes https://, and an empty variable a host": """
        test_plain_http_is_refused test_an_empty_variable_is_no_server""",
    "kes: dates have no zone": "test_dates_of_keys_and_policies_name_their_zone",
    "kes: a create is sent twice": """
        test_a_create_that_was_cut_off_is_not_sent_again
        test_a_create_whose_answer_was_lost_is_not_sent_elsewhere""",
}
THERE = {
    name
    for path in Path(__file__).parent.rglob("test_*.py")
    for name in re.findall(r"^def (test_\w+)", path.read_text("utf-8"), re.MULTILINE)
}


@pytest.mark.parametrize("weakness", WEAKNESSES)
def test_every_weakness_has_its_tests(weakness: str) -> None:
    names = WEAKNESSES[weakness].split()
    assert names
    assert set(names) <= THERE


@pytest.mark.parametrize(
    ("reply", "code"), [(httpx.ConnectError("refused"), 6), (s3_error(403, "AccessDenied"), 4)]
)
def test_info_of_a_server_that_is_down_or_denies_is_an_error_in_json(
    mcpy: Mcpy, server: Server, reply: httpx.Response | Exception, code: int
) -> None:
    server.replies = [reply]
    result = mcpy("--json", "admin", "info", "play")
    assert (result.exit_code, result.stderr) == (code, "")
    (answer,) = result.objects
    assert answer["status"] == "error"
    assert answer["error"].keys() >= {"message", "cause", "type"}


def test_a_removed_alias_leaves_its_secret_nowhere(mcpy: Mcpy) -> None:
    mcpy.store.put(Alias("gone", "http://h.test", "access", "a-secret-of-its-own"))
    assert mcpy("alias", "remove", "gone").exit_code == 0
    files = [path for path in mcpy.folder.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if b"a-secret-of-its-own" in path.read_bytes()]


@pytest.mark.parametrize("api", ["S3v4", "s3v2"])
def test_naming_the_signature_does_not_skip_the_proof(
    mcpy: Mcpy, server: Server, api: str
) -> None:
    server.replies = [s3_error(403, "InvalidAccessKeyId")]
    result = mcpy("alias", "set", "--api", api, "new", "http://h.test", "access", "secret-key")
    assert result.exit_code == 4
    assert [alias.name for alias in mcpy.store.all()] == ["play"]


def test_a_broken_config_file_is_an_error_in_json(mcpy: Mcpy) -> None:
    mcpy.store.path.write_text("aliases = [")
    result = mcpy("--json", "ls", "play")
    assert (result.exit_code, result.stderr) == (1, "")
    (answer,) = result.objects
    assert "is not valid TOML" in answer["error"]["message"]


STATUS = {
    "version": "v1",
    "os": "linux",
    "arch": "amd64",
    "uptime": 7,
    "num_cpu": 2,
    "num_cpu_used": 2,
    "mem_heap_used": 1,
    "mem_stack_used": 1,
}


@pytest.mark.usefixtures("kes_env")
def test_the_status_of_a_kes_whose_keystore_is_down_is_shown(mcpy: Mcpy, server: Server) -> None:
    server.replies = [httpx.Response(200, json=STATUS | {"keystore_unreachable": True})] * 2
    result = mcpy("kes", "status")
    assert "v1" in result.stdout
    assert "keystore" in (result.stdout + result.stderr).lower()
    (answer, *_) = mcpy("--json", "kes", "status").objects
    assert answer["keystore_unreachable"] is True


@pytest.mark.usefixtures("kes_env")
def test_the_status_is_of_the_server_that_answered(mcpy: Mcpy, server: Server) -> None:
    mcpy.env["KES_SERVER"] = "https://localhost:1,https://second.test:7373"
    server.replies = [httpx.ConnectError("refused"), httpx.Response(200, json=STATUS), ok()]
    result = mcpy("kes", "status")
    assert result.exit_code == 0
    assert "second.test:7373" in result.stdout
    assert "localhost:1" not in result.stdout


KEY = {"name": "k", "algorithm": "AES256", "created_at": "2026-11-23T12:39:43Z"}
SEALED = {"plaintext": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "ciphertext": "Yg=="}


@pytest.mark.usefixtures("kes_env")
@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("key info k", KEY),
        ("key dek k", SEALED),
        ("key encrypt k m", {"ciphertext": "Yg=="}),
        ("key decrypt k Yg==", {"plaintext": "Yg=="}),
        ("policy show p", {"name": "p", "created_at": "2026-11-23T12:39:43Z", "allow": {}}),
        ("version", {"version": "v1", "commit": "c"}),
    ],
)
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_every_answer_ends_with_a_newline(
    mcpy: Mcpy, server: Server, line: str, answer: dict[str, object], form: list[str]
) -> None:
    server.replies = [httpx.Response(200, json=answer)]
    result = mcpy(*form, "kes", *line.split())
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.endswith("\n")
    assert not result.stdout.endswith("\n\n")
    assert not form or json.loads(result.stdout)


@pytest.mark.usefixtures("kes_env")
def test_one_key_that_fails_does_not_stop_the_others(mcpy: Mcpy, server: Server) -> None:
    described = [httpx.Response(200, json=KEY | {"name": name}) for name in ("a", "c")]
    server.replies = [
        *(ok(), described[0]),
        kes_error(400, "key already exists"),
        *(ok(), described[1]),
    ]
    result = mcpy("--json", "kes", "key", "create", "a", "b", "c")
    assert result.exit_code == 8
    assert [answer["status"] for answer in result.objects] == [
        "success",
        "error",
        "success",
        "error",
    ]
    assert result.objects[-1]["error"]["message"] == "1 of 3 failed"


def test_an_empty_certificate_is_one_line(mcpy: Mcpy, tmp_path: Path) -> None:
    (tmp_path / "empty.crt").write_bytes(b"")
    result = mcpy("kes", "identity", "of", str(tmp_path / "empty.crt"))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1


@pytest.mark.usefixtures("kes_env")
def test_an_empty_variable_is_no_server(mcpy: Mcpy, server: Server) -> None:
    mcpy.env["KES_SERVER"] = ""
    server.replies = [httpx.Response(200, json={"version": "v1", "commit": "c"})]
    assert mcpy("kes", "version").exit_code == 0
    assert server.requests[0].url.host == "127.0.0.1"


@pytest.mark.usefixtures("kes_env")
def test_dates_of_keys_and_policies_name_their_zone(mcpy: Mcpy, server: Server) -> None:
    policy = {"name": "p", "created_at": KEY["created_at"]}
    server.replies = [httpx.Response(200, json=answer) for answer in (KEY, policy)]
    for line in ("kes key info k", "kes policy info p"):
        shown = mcpy(*line.split()).stdout
        assert re.search(r"2026-11-23T12:39:43Z|2026-11-23 12:39:43 UTC", shown), shown
