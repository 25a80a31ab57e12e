"""Whoever changes a byte of a Bundle needs a key that is trusted."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.detectors import signature
from gateway.detectors.bundle import ANY, Bundle, BundleBroken, load
from gateway.detectors.signature import DOMAIN, Trust, public_bytes
from gateway.training import bundle_writer
from tests.detectors.signing import KEY, PUBLIC, TRUST

FILES = ["bundle.json", "bundle.sig", "image.cbor", "model.tflite"]
STRANGER = Ed25519PrivateKey.from_private_bytes(bytes(32))


def refused(folder: Path, trust: Trust = TRUST) -> BundleBroken:
    with pytest.raises(BundleBroken) as raised:
        load(folder, trust)
    return raised.value


def test_what_is_signed_by_a_trusted_key_is_taken(folder: Path) -> None:
    assert sorted(f.name for f in folder.iterdir()) == FILES
    assert load(folder, TRUST).signed_by == PUBLIC


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(st.sampled_from(FILES), st.floats(0, 1, exclude_max=True), st.integers(1, 255), st.booleans())
def test_a_byte_that_is_changed_anywhere_is_found(
    folder: Path, name: str, where: float, by: int, allow_unsigned: bool
) -> None:
    file = folder / name
    before = file.read_bytes()
    at = int(where * len(before))
    file.write_bytes(before[:at] + bytes([before[at] ^ by]) + before[at + 1 :])
    error = refused(folder, Trust(frozenset({PUBLIC}), allow_unsigned))
    file.write_bytes(before)
    assert error.reason
    assert error.file.name in {"bundle.json": ("bundle.json", "bundle.sig")}.get(name, (name,))
    assert load(folder, TRUST)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.sampled_from(FILES), st.floats(0, 1, exclude_max=True))
def test_a_file_that_is_cut_off_anywhere_is_found(folder: Path, name: str, where: float) -> None:
    file = folder / name
    before = file.read_bytes()
    file.write_bytes(before[: int(where * len(before))])
    error = refused(folder)
    file.write_bytes(before)
    assert error.file.name in {"bundle.json": ("bundle.json", "bundle.sig")}.get(name, (name,))


def test_what_nobody_has_signed_is_taken_only_if_told_so(node: Bundle) -> None:
    error = refused(node.folder)
    assert (error.file.name, "not signed" in error.reason) == ("bundle.sig", True)
    assert refused(node.folder, Trust()).reason == error.reason
    assert load(node.folder, ANY).signed_by is None


def test_what_a_stranger_has_signed_is_named_with_his_key(folder: Path) -> None:
    bundle_writer.sign(folder, STRANGER)
    error = refused(folder)
    assert public_bytes(STRANGER).hex() in error.reason and "rescoring.trusted_keys" in error.reason
    assert load(folder, ANY).signed_by == public_bytes(STRANGER)


def test_a_stranger_cannot_put_a_trusted_name_on_his_signature(folder: Path) -> None:
    manifest = (folder / "bundle.json").read_bytes()
    forged = f"ed25519 {PUBLIC.hex()} {STRANGER.sign(DOMAIN + manifest).hex()}\n"
    (folder / "bundle.sig").write_text(forged)
    assert "forged" in refused(folder).reason
    assert "forged" in refused(folder, ANY).reason


def test_what_the_key_signs_for_another_purpose_is_no_signature_of_a_bundle(folder: Path) -> None:
    manifest = (folder / "bundle.json").read_bytes()
    (folder / "bundle.sig").write_text(f"ed25519 {PUBLIC.hex()} {KEY.sign(manifest).hex()}\n")
    assert "forged" in refused(folder).reason


@pytest.mark.parametrize("change", [str.upper, lambda s: s + "\n", lambda s: " " + s, lambda s: s.replace(" ", "  ")])
def test_a_signature_has_one_form(folder: Path, change: object) -> None:
    assert callable(change)
    (folder / "bundle.sig").write_text(change((folder / "bundle.sig").read_text()))
    assert "not a line" in refused(folder).reason


def test_nothing_that_is_broken_gets_a_signature(folder: Path) -> None:
    (folder / "model.tflite").write_bytes(b"other")
    with pytest.raises(BundleBroken, match="SHA-256"):
        bundle_writer.sign(folder, KEY)
    assert not (folder / signature.FILE).exists()


def test_writing_anew_takes_the_old_signature_away(folder: Path) -> None:
    bundle = load(folder, TRUST)
    bundle_writer.write(folder, bundle.manifest, bundle.model, bundle_writer.self_test_of(bundle))
    assert load(folder, ANY).signed_by is None
