# Copyright (c) 2026 nextbilling.did contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each module refuses before anything is done: nothing is read, sent or written, and no secret shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nextbilling.did.tests.support.modules import VENDOR_CREATE, Runner


def lines(*numbers: int, **fields: Any) -> list[dict[str, Any]]:
    """Declare a DID for each number."""
    return [{"did_number": f"11300{number:05}", "port": 5060, **fields} for number in numbers]


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"registry": "postgres://db/x"}, "postgresql://"),
        ({"registry": "POSTGRESQL://db/x"}, "postgresql://"),
        ({"registry": "registry.db"}, "relative"),
        ({"registry": "./registry.db"}, "relative"),
        ({"registry": "sqlite:///x.db"}, "sqlite"),
        ({"registry": "file:x.db"}, "file"),
        ({"registry": "postgresql://me:geheim@db/x"}, "registry_password"),
        ({"registry": "postgresql://db/x?user=me&password=geheim"}, "registry_password"),
        ({"did_number": 300123456}, "quotes"),
        ({"did_number": True}, "quotes"),
        ({"did_number": "abc"}, "LATIN SMALL LETTER A"),
        ({"did_number": "١٢٣"}, "number"),
        ({"did_number": ...}, "did_number"),
        ({"password": 13}, "quotes"),
        ({"techprefix1": 12}, "quotes"),
        ({"did_type": 1}, "device_id"),
        ({"did_type": "queue", "device_id": 3}, "did_type_id"),
        ({"did_type": 2}, "did_type"),
        ({"port": 70000}, "65535"),
        ({"port": -1}, "65535"),
        ({"port": True}, "port"),
        ({"port": "x"}, "port"),
        ({"host": "not a host"}, "host"),
        ({"host": "192.168.0.2:5060"}, "host"),
        ({"host": "192.168.0"}, "host"),
        ({"host_additional": ["10.0.0.1", "a b"]}, "host_additional"),
        ({"customer_id": -1}, "customer_id"),
        ({"max_calls": -1}, "max_calls"),
        ({"record_id": 0}, "record_id"),
        ({"nummer": "1"}, "nummer"),
        ({"api_url": "http://sip.nextbilling.com.br"}, "allow_http"),
        ({"api_url": "http://127.0.0.1.example.com"}, "allow_http"),
        ({"api_url": "ftp://127.0.0.1"}, "api_url"),
        ({"api_url": "sip.nextbilling.com.br"}, "api_url"),
        ({"api_url": "https://me:geheim@sip.nextbilling.com.br"}, "api_url"),
        ({"api_url": "https://sip.nextbilling.com.br/api/manageDID/a/b"}, "manageDID"),
        ({"api_url": "https://sip.nextbilling.com.br/prefix"}, "platform"),
        ({"api_url": "https://[geheim"}, "api_url"),
        ({"api_url": "https://x.example:geheim"}, "api_url"),
        ({"api_url": ""}, "NEXTBILLING_API_URL"),
        ({"api_token": ...}, "NEXTBILLING_API_TOKEN"),
        ({"api_key": ""}, "NEXTBILLING_API_KEY"),
        ({"api_token": "two words"}, "api_token"),
        ({"api_token": "line\n"}, "api_token"),
        ({"registry": " postgresql://me:geheim@db/x"}, "registry"),
        ({"registry": "host=db password=geheim"}, "registry"),
        ({"registry": "db/x?password=geheim"}, "registry"),
        ({"registry": "postgresql://db/x?sslpassword=geheim"}, "registry"),
        ({"registry": "postgresql://db/x?%70assword=geheim"}, "registry"),
        ({"registry": "postgresql://me%3Ageheim@db/x"}, "registry"),
        ({"registry": "/tmp/\0x"}, "registry"),
        ({"registry": "postgresql://db/x?oauth_client_secret=geheim"}, "oauth_client_secret"),
        ({"registry": "postgresql://db/x?scram_client_key=geheim"}, "scram_client_key"),
        ({"registry": "postgresql://db/x?scram_server_key=geheim"}, "scram_server_key"),
        ({"registry": "postgresql://db/x?sslmode=require;password=geheim"}, "sslmode"),
        ({"registry": "postgresql://db/x?application_name=me:geheim"}, "application_name"),
        ({"registry": "postgresql://db/x?options=-cmy.key%3Dgeheim"}, "search_path"),
        ({"registry": "postgresql://db/x?geheim=1"}, "parameters"),
        ({"registry": "postgresql://db/x?sslmode=require&sslmode=disable"}, "twice"),
        ({"registry": "postgresql://db/x#geheim"}, "registry"),
        ({"registry": "postgresql://me:12/geheim@db/x"}, "registry_password"),
        ({"registry": "postgresql+psycopg://me:geheim@db/x"}, "registry_password"),
        ({"registry": "postgresql://db/x\n?password=geheim"}, "registry"),
        ({"registry": "geheim:x"}, "registry"),
        ({"registry": "//me:geheim@db/x"}, "registry_password"),
        ({"registry": "/db/x?oauth_client_secret=geheim"}, "registry"),
        ({"api_url": "https://x.example/api/listDevices/geheim/geheim"}, "platform"),
        ({"api_url": "https://x.example/?token=geheim"}, "api_url"),
        ({"platform": "https://x.example/api/manageDID/geheim"}, "platform"),
        ({"ca_path": "/nowhere/ca.pem"}, "ca_path"),
        ({"timeout": 0}, "timeout"),
        ({"retries": -1}, "retries"),
        ({"state": "absent"}, "state: must be present. The platform's API deletes nothing"),
        ({"similar": "perhaps"}, "similar: must be one of warn, refuse, ignore"),
        ({"country_code": "+55"}, "country_code: must be one to three digits"),
        ({"country_code": "055"}, "country_code: must be one to three digits"),
    ],
    ids=str,
)
def test_a_did_that_is_refused(runner: Runner, parameters: dict[str, Any], words: str) -> None:
    result = runner.both(**{**VENDOR_CREATE, **parameters})
    assert result["error"]["kind"] == "invalid_parameter", result
    assert words in result["msg"]
    if (
        "platform" not in parameters
    ):  # a name that is not secret; what is put there by mistake is refused at least
        assert "geheim" not in json.dumps(result)
    assert runner.requests() == []
    assert runner.store.is_empty()


def test_all_problems_are_told_at_once(runner: Runner) -> None:
    result = runner.did(did_number=1, port=70000, host="a b", api_key="", registry="x.db")
    for word in ("did_number", "port", "host", "api_key", "registry"):
        assert f"{word}:" in result["msg"]


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({}, "dids, src: give one of them"),
        ({"dids": lines(1), "src": "/x.csv"}, "dids, src: give one of them"),
        ({"dids": []}, "dids: is empty"),
        ({"dids": "geheim"}, "dids"),
        ({"dids": ["geheim"]}, "dids"),
        ({"dids": lines(1, 1)}, "dids[0] and dids[1]: have the same did_number"),
        ({"dids": [{"did_number": "1"}, {"did_number": "2", "port": "x"}]}, "dids[1]: port"),
        ({"dids": lines(1), "defaults": {"record_id": 4}}, "defaults: record_id"),
        ({"dids": lines(1), "defaults": ["geheim"]}, "defaults"),
        ({"dids": lines(1), "concurrency": 0}, "concurrency: must be from 1 to 64"),
        ({"dids": lines(1), "concurrency": 65}, "concurrency: must be from 1 to 64"),
        ({"dids": lines(1), "max_creates": -1}, "max_creates: must be 0 or more"),
        ({"dids": lines(1), "max_changes": -1}, "max_changes: must be 0 or more"),
        ({"dids": lines(1), "max_failures": -1}, "max_failures: must be 0 or more"),
        ({"dids": lines(1), "apply_at_most": 0}, "apply_at_most: must be 1 or more"),
        ({"dids": lines(1), "apply_at_most": -1}, "apply_at_most: must be 1 or more"),
        ({"dids": lines(1), "state": "absent"}, '"Retiring a number"'),
        ({"dids": lines(1), "plan_checksum": "geheim"}, "plan_checksum: must be"),
        ({"dids": lines(1), "api_token": ""}, "NEXTBILLING_API_TOKEN"),
        ({"dids": lines(1), "registry": "x.db"}, "relative"),
        ({"dids": lines(1), "renumber": True}, "renumber"),
        ({"src": "dids.csv"}, "absolute"),
    ],
    ids=str,
)
def test_a_list_of_dids_that_is_refused(
    runner: Runner, parameters: dict[str, Any], words: str
) -> None:
    result = runner.both_dids(**parameters)
    assert result["error"]["kind"] == "invalid_parameter", result
    assert words in result["msg"], result["msg"]
    assert "geheim" not in json.dumps({**result, "invocation": None}).replace("plan_checksum", "")
    assert runner.requests() == [] and runner.store.is_empty()


def test_a_platform_is_named_by_an_address_or_not_at_all(runner: Runner) -> None:
    told = runner.did_registry(state="present", api_url="sip.example.com")
    assert told["error"]["kind"] == "invalid_parameter" and "api_url" in told["msg"]


@pytest.mark.parametrize(
    ("state", "dids", "words"),
    [
        ("recorded", [], "empty"),
        ("forgotten", [], "empty"),
        ("recorded", [{"did_number": "1"}], "record_id"),
        ("recorded", [{"port": 1}], "did_number"),
        ("recorded", [{"did_number": 1, "record_id": 1}], "quotes"),
        ("recorded", [{"did_number": "1", "record_id": 0}], "record_id"),
        ("recorded", [{"did_number": "1", "record_id": 1, "pasword": "geheim"}], "pasword"),
        (
            "recorded",
            [{"did_number": "1", "record_id": 1}, {"did_number": "+1", "record_id": 2}],
            "dids[1]",
        ),
        ("recorded", [{"did_number": "1", "record_id": 1}, {"record_id": 1}], "record_id 1"),
        ("present", [{"did_number": "1"}], "dids"),
    ],
)
def test_a_bad_list_is_refused_whole(
    runner: Runner, state: str, dids: list[Any], words: str
) -> None:
    result = (
        runner.both_registry(state, *dids, {"did_number": "99", "port": 70000}) if dids else None
    )
    result = result or runner.both_registry(state)
    assert result["error"]["kind"] == "invalid_parameter"
    assert words in result["msg"]
    assert "geheim" not in json.dumps(result)
    if dids and state == "recorded":
        assert f"dids[{len(dids)}]: port" in result["msg"]
    assert runner.store.is_empty()


@pytest.mark.parametrize(
    "dids",
    [
        {"did_number": "1", "record_id": 1, "password": "geheim"},
        [{"did_number": "1", "record_id": 1, "description": {"password": "geheim"}}],
        [{"did_number": "1", "record_id": 1, "host_additional": [{"password": "geheim"}]}],
        [{"did_number": "1", "record_id": 1, "password=geheim": ""}],
        [{"did_number": "1", "record_id": 1, "pasword": "geheim"}],
        ["did_number=1 password=geheim"],
        "geheim",
    ],
    ids=str,
)
def test_a_secret_in_the_wrong_place_is_not_shown(runner: Runner, dids: Any) -> None:
    result = runner.did_registry(state="recorded", dids=dids)
    assert "geheim" not in json.dumps(result["invocation"])
    if isinstance(dids, list) and isinstance(dids[0], dict):
        assert result["error"]["kind"] == "invalid_parameter"
        assert "geheim" not in json.dumps(result)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("dids.csv", b"", "empty"),
        ("dids.csv", b"number;record_id\n1;2\n", "line 1: number (column 1) is no field"),
        ("dids.csv", b"record_id;record_id\n1;2\n", "line 1: record_id stands twice"),
        ("dids.csv", b"description\nx\n", "line 1: neither did_number"),
        ("dids.csv", b"did_number;record_id\n1;2\n1;2;3\n", "line 3: has 3 cells"),
        ("dids.csv", b'did_number;record_id\n"1"x;2\n', "line 2: cannot be read as CSV"),
        ("dids.csv", b'did_number;record_id\n1;"2\n', "quotation mark"),
        (
            "dids.csv",
            "did_number;record_id;description\n1;2;Ol\xe1\n".encode("latin-1"),
            "line 2: is not UTF-8",
        ),
        ("dids.csv", b'did_number;record_id;annotations\n1;2;"a\nb"\n3;x;\n', "line 4: record_id"),
        ("dids.csv", b"did_number;record_id\n1,1E+10;2\n", "line 2: did_number"),
        ("dids.csv", b"did_number;record_id\n1;2\n+1;3\n", "line 2 and dids.csv, line 3"),
        ("dids.csv", b"did_number;record_id\n", "empty"),
        ("dids.json", b"[\n{]", "line 2: is not JSON"),
        ("dids.json", b"{}", "list"),
        ("dids.json", b'[{"did_number": 1, "record_id": 1}]', "dids.json[0]: did_number"),
        ("dids.yml", b"- a: [\n", "is not YAML"),
        ("dids.yml", b"a: 1\n", "list"),
        (
            "dids.yml",
            b"- record_id: 1\n- did_number: 0300123\n  record_id: 2\n",
            "line 2: did_number",
        ),
        ("dids.yml", b"$ANSIBLE_VAULT;1.1;AES256\n6162\n", "Ansible Vault"),
        ("dids.txt", b"x", ".csv"),
        (".", b"", "is a folder"),
    ],
)
def test_a_bad_file_is_refused_with_its_place(
    runner: Runner, tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    src = tmp_path / name
    if name != ".":
        src.write_bytes(content)
    for check in (True, False):
        result = runner.did_registry(check=check, state="recorded", src=str(src))
        assert result["error"]["kind"] == "invalid_parameter"
        assert words in result["msg"], result["msg"]
    assert runner.store.is_empty()


def test_a_file_that_cannot_be_read(runner: Runner, tmp_path: Path) -> None:
    for src, words in ((str(tmp_path / "no.csv"), "No such file"), ("dids.csv", "absolute")):
        result = runner.did_registry(state="recorded", src=src)
        assert (result["error"]["kind"], words in result["msg"]) == ("invalid_parameter", True)
    both = runner.did_registry(state="recorded", src="/x.csv", dids=[{"record_id": 1}])
    assert "one of them" in both["msg"]


@pytest.mark.parametrize(
    "attempt",
    [
        "geheim",
        "18EC00842FF4938E690A92F04FC7A01C",
        "18ec00842ff4938e690a92f04fc7a01c\n",
        " 18ec00842ff4938e690a92f04fc7a01c",
        "1,8E+31",
        18,
        {"password": "geheim"},
        ["geheim"],
    ],
    ids=str,
)
def test_what_is_no_attempt_is_refused_and_not_shown(runner: Runner, attempt: Any) -> None:
    for state in ("forgotten", "settled"):
        did = {"did_number": "1", "record_id": 1, "attempt": attempt}
        result = runner.did_registry(state=state, dids=[did])
        assert result["error"]["kind"] == "invalid_parameter"
        assert "dids[0]: attempt: must be the 32 hexadecimal digits" in result["msg"]
        assert "geheim" not in json.dumps(result) and "4938" not in json.dumps(result).lower()


def test_what_an_export_says_beside_the_fields_is_ignored(runner: Runner) -> None:
    said = {"outcome": "geheim", "attempt": "no attempt", "confirmed_at": 7}
    did = {"did_number": "1", "record_id": 1, **said}
    for result in (
        runner.did_registry(state="recorded", dids=[did]),
        runner.dids(dids=[did]),
        runner.dids(dids=[{"did_number": "1", "last_number": "2", **said}]),
    ):
        assert result["error"]["kind"] == "registry_mismatch", result
        assert "geheim" not in json.dumps(result)
    refused = runner.dids(dids=[{"did_number": "1"}], defaults=said)
    assert "outcome is no field of a DID" in refused["msg"]


@pytest.mark.parametrize(
    ("did", "words"),
    [
        ({"outcome": "absent"}, "needs did_number and attempt"),
        ({"outcome": " ABSENT", "record_id": 13}, "keep the one that is true"),
        ({"outcome": "abset"}, "must be the word absent, or stay as it was exported (empty, "),
        ({"outcome": ["geheim"]}, "must be the word absent, or stay as it was exported (empty, "),
        ({"outcome": "unknown", "record_id": 0}, "record_id: must be 1 or more"),
    ],
)
def test_a_list_that_is_filled_in_wrongly_is_refused(
    runner: Runner, did: dict[str, Any], words: str
) -> None:
    right = {"did_number": "2", "outcome": "absent", "attempt": "18" * 16}
    result = runner.did_registry(state="settled", dids=[right, {"did_number": "1", **did}])
    assert result["error"]["kind"] == "invalid_parameter"
    assert words in result["msg"] and "dids[1]" in result["msg"], result["msg"]
    assert "dids[0]" not in result["msg"] and "geheim" not in json.dumps(result)
    overwrites = runner.did_registry(state="settled", dids=[right], overwrite=True)
    assert "overwrite: does not go with state settled" in overwrites["msg"]
