"""The vectors judged by libraries that had no part in making them: Node's crypto, cbor-x, and zcbor over wire.cddl."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import cbor2
import pytest
import zcbor

from tests.wire.vectors import FOLDER, MESSAGES, load

CHECK = Path(__file__).parents[1] / "system" / "peers" / "cose_check.mjs"
CDDL_TYPES = zcbor.DataTranslator.from_cddl((FOLDER.parent / "wire.cddl").read_text(encoding="utf-8"), 64).my_types

# What zcbor's validator in Python does not look at: the type byte and the form of the bytes are outside CDDL, and it
# compares `uint .size` with the upper bound alone and counts text in characters.
UNSEEN = ("encoding:", "malformed: type byte")
UNSEEN_ENDS = ("is negative", "holds a negative number", "is 26 bytes in 13 characters")


def run(folder: Path) -> subprocess.CompletedProcess[str]:
    node = shutil.which("node")
    if node is None or not (CHECK.parent / "node_modules" / "cbor-x").is_dir():
        pytest.skip("needs node and `make peers`")
    return subprocess.run([node, CHECK, folder], capture_output=True, text=True, timeout=60, check=False)


def test_node_crypto_and_cbor_x_agree_with_every_vector():
    done = run(FOLDER)
    assert done.returncode == 0, done.stderr
    checks = int(done.stdout.split()[0])
    assert checks > sum(len(s["frames"]) for direction in ("up", "down") for s in load("envelope")[direction])


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("envelope", lambda doc: doc["up"][0]["frames"][1].update(payload="02")),
        ("envelope", lambda doc: doc["up"][5]["frames"][1].update(verdict="accepted")),
        ("keys", lambda doc: doc["nodes"][0].update(key_up="00" * 16)),
        ("window", lambda doc: doc["cases"][0]["message"].update(age=9)),
        ("serial", lambda doc: doc["cases"][0]["frames"].clear()),
        ("ccm", lambda doc: doc["cases"][0].update(aad="")),
    ],
    ids=["payload", "verdict", "key", "message", "serial", "ccm"],
)
def test_that_check_can_fail(tmp_path, file, change):
    shutil.copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    document = load(file)
    change(document)
    (tmp_path / f"{file}.json").write_text(json.dumps(document), encoding="ascii")
    assert run(tmp_path).returncode == 1


def allowed_by_cddl(name: str, payload: bytes) -> bool:
    try:
        return bool(CDDL_TYPES[name.replace("_", "-")].validate_str(payload[1:]))
    except (zcbor.CddlValidationError, cbor2.CBORDecodeError):
        return False


@pytest.mark.parametrize("name", MESSAGES)
def test_wire_cddl_allows_what_is_valid(name):
    for case in load(name)["cases"]:
        if case["valid"]:
            assert allowed_by_cddl(name, bytes.fromhex(case["payload"])), case["name"]


@pytest.mark.parametrize("name", MESSAGES)
def test_wire_cddl_refuses_what_is_not(name):
    seen = 0
    for case in load(name)["cases"]:
        if case["valid"] or case["name"].startswith(UNSEEN) or case["name"].endswith(UNSEEN_ENDS):
            continue
        assert not allowed_by_cddl(name, bytes.fromhex(case["payload"])), case["name"]
        seen += 1
    assert seen > 10
