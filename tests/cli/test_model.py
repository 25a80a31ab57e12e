"""`stethos model` at the shell: from a dataset to a bundle that a gateway takes, and what it says when it cannot."""

from __future__ import annotations

import os
import re
import shutil
import socket
import stat
from pathlib import Path

import cbor2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from gateway.detectors.bundle import ANY, Bundle, load
from gateway.detectors.signature import Trust
from gateway.store.journal import Journal
from gateway.training import dataset, exporting, stream
from tests.bench.node_network import AD01_MACS
from tests.cli.test_cli import CONFIG, free_port
from tests.detectors.signing import TRUSTED
from tests.detectors.test_bundle import image_field
from tests.nodes.tflite_networks import Layer, Network, tflite_of
from tests.training.recordings import fans

DATA = Path(__file__).parents[3] / "shared" / "data" / "tflite_models"


def model(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["model", *map(str, arguments)], catch_exceptions=False)


def good(*arguments: object) -> str:
    result = model(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(*arguments: object) -> str:
    result = model(*arguments)
    assert result.exit_code == 1, result.output
    return result.stderr


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a dataset, a key, and what was trained and calibrated with it."""
    folder = tmp_path_factory.mktemp("works")
    fans(folder / "fans", {"hub": 1.0, "rim": 1.2})
    good("keygen", folder / "key.pem")
    with_key = ("--key", folder / "key.pem")
    train = ("train", folder / "fans", "--features", "statistics", "--samples", 64)
    good(*train, "--out", folder / "fan", *with_key)
    good(*train, "--for", "host", "--out", folder / "fan-host", *with_key)
    good("calibrate", folder / "fan", folder / "fans", "--out", folder / "fan-2", *with_key)
    return folder


@pytest.fixture
def bundle(place: Path, tmp_path: Path) -> Path:
    """The calibrated bundle, to be spoilt."""
    return Path(shutil.copytree(place / "fan-2", tmp_path / "fan-2"))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "stethos.toml"
    udp, metrics = free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_STREAM)
    text = CONFIG.replace("{udp}", str(udp)).replace("{metrics}", str(metrics))
    file.write_text(text.replace("k = 1", 'k = 1\nmodel = "fan-host"') + '[rescoring]\nbundles = "."\n')
    return file


def test_a_key_is_for_its_owner_alone_and_is_never_written_over(tmp_path: Path) -> None:
    told = good("keygen", tmp_path / "key.pem")
    assert re.search(r'^trusted_keys = \["[0-9a-f]{64}"\]$', told, re.MULTILINE)
    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600
    before = (tmp_path / "key.pem").read_bytes()
    assert "key.pem: is there already, and a key is not written over\n" in refused("keygen", tmp_path / "key.pem")
    assert "no/key.pem: No such file or directory\n" in refused("keygen", tmp_path / "no" / "key.pem")
    assert (tmp_path / "key.pem").read_bytes() == before


def trained(place: Path, name: str) -> Bundle:
    return load(place / name, ANY)


def test_a_bundle_says_what_it_was_made_from(place: Path) -> None:
    manifest = trained(place, "fan").manifest
    assert (manifest.name, manifest.role, manifest.kind, manifest.samples) == ("fan", "node", "autoencoder", 64)
    assert [(c.name, c.unit) for c in manifest.channels] == [(axis, "16384/g") for axis in "xyz"]
    assert (manifest.rate_millihz, manifest.licence) == (200_000, "CC0-1.0")
    assert [multiplier == 0 for _, multiplier, _ in manifest.scaling] == [True, False, False] * 3
    assert [s.description for s in manifest.provenance.data] == ["fans, run hub", "fans, run rim"]
    assert trained(place, "fan-host").manifest.role == "host"


def test_a_bundle_keeps_how_it_does_on_what_it_has_not_seen(tmp_path: Path) -> None:
    """A loose fan behind the part that was learned from, with labels, and without."""
    labels = (dataset.Label(start_s=0, end_s=400, label="well", fault=False),
              dataset.Label(start_s=400, end_s=460, label="loose", fault=True))  # fmt: skip
    folders = {"labelled": labels, "plain": ()}
    for name, given in folders.items():
        fans(tmp_path / name, {"hub": 1.0}, learn_s=384, loose_s=400, labels=given)
        good("train", tmp_path / name, "--samples", 64, "--out", tmp_path / f"{name}-fan", "--unsigned")
    measured = {name: trained(tmp_path, f"{name}-fan").manifest for name in folders}
    found = measured["labelled"].provenance.metrics
    assert found["auroc"] > 0.99 and found["missed_pct"] < 5
    assert found.keys() >= {"f1", "auprc", "clock_auroc"}
    assert measured["plain"].provenance.metrics == {"alarmed_pct": found["alarmed_pct"]}
    assert measured["plain"].threshold == measured["labelled"].threshold
    assert measured["plain"].files == measured["labelled"].files
    assert "auroc: " in good("inspect", tmp_path / "labelled-fan")


def test_calibration_makes_a_bundle_of_its_own(place: Path) -> None:
    before, after = trained(place, "fan"), trained(place, "fan-2")
    assert (before.model, before.manifest.scaling) == (after.model, after.manifest.scaling)
    assert (after.manifest.name, before.manifest.calibration) == ("fan-2", None)
    assert after.manifest.calibration is not None
    assert after.signed_by == before.signed_by is not None
    assert after.manifest.provenance.data == before.manifest.provenance.data == after.manifest.calibration.data
    told = good("calibrate", place / "fan", place / "fans", "--out", place / "fan-3", "--by", "p99", "--unsigned",
                "--node", "rim")  # fmt: skip
    assert "not signed" in told and "rim" in told and "hub" not in told
    assert trained(place, "fan-3").manifest.quality.wanted_ppm == 10_000


def test_the_same_dataset_and_seed_give_the_same_bundle(place: Path, tmp_path: Path) -> None:
    again = ("--features", "statistics", "--samples", 64, "--key", place / "key.pem")
    good("train", place / "fans", "--out", tmp_path / "fan", *again)
    for file in (place / "fan").iterdir():
        assert (tmp_path / "fan" / file.name).read_bytes() == file.read_bytes()


def test_classifiers_of_nodes_and_of_regimes(place: Path, tmp_path: Path) -> None:
    of = ("train", place / "fans", "--arch", "classifier", "--features", "statistics", "--samples", 64, "--unsigned")
    good(*of, "--classes", "node", "--known", "rim", "--out", tmp_path / "which")
    manifest = trained(tmp_path, "which").manifest
    assert (manifest.kind, manifest.classes, manifest.known) == ("classifier", ("hub", "rim", "none"), 1)
    assert "class 1: rim (known)" in good("inspect", tmp_path / "which")
    good("calibrate", tmp_path / "which", place / "fans", "--node", "rim", "--out", tmp_path / "this", "--unsigned")
    calibration = trained(tmp_path, "this").manifest.calibration
    assert calibration is not None and all(entry.threshold <= 509 for entry in calibration.table)
    good(*of, "--for", "host", "--out", tmp_path / "regimes")
    assert trained(tmp_path, "regimes").manifest.known is None
    assert "no node 'nave' among hub, rim" in refused(
        *of, "--classes", "node", "--known", "nave", "--out", tmp_path / "x"
    )
    for known, speed in ((None, 10), ("speed 20", 20)):
        of_speed = ("--classes-from", "speed", *(("--known", known) if known else ()))
        told = good(*of, *of_speed, "--out", tmp_path / f"speed-{speed}")
        assert "2 runs of hub, rim (--node takes fewer); classes speed 10, speed 20\n" in told
        manifest = trained(tmp_path, f"speed-{speed}").manifest
        assert (manifest.classes, manifest.known) == (("speed 10", "speed 20", "none"), 1 if known else None)
    for wrong, reason in (
        (("load",), "no context 'load', but speed"),
        (("speed", "--known", "speed 30"), "no class 'speed 30' among speed"),
    ):
        assert reason in refused(*of, "--classes-from", *wrong, "--out", tmp_path / "x")
    assert "go with --arch classifier" in model(*of[:2], "--classes-from", "speed", "--out", tmp_path / "x").stderr
    assert "goes with --classes node" in refused(*of, "--known", "hub", "--out", tmp_path / "x")
    assert "needs two" in refused(*of, "--classes", "node", "--node", "hub", "--out", tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_training_says_which_nodes_would_do(tmp_path: Path) -> None:
    fans(tmp_path / "fans", {"hub": 1.0}, seconds=60, learn_s=5.0)
    with dataset.Writer(tmp_path / "fans", name="", add=True) as out:
        about = {"asset": "fan", "session": "s", "rate_hz": 1.0, "commission_s": 50.0}
        slow = dataset.Run(
            file="air.npz", node="air", kind="values", channels=(dataset.Channel(name="t"),), **about
        )  # fmt: skip
        out.add(slow, np.random.default_rng(1).normal(size=(100, 1)))
    train = ("train", tmp_path / "fans", "--out", tmp_path / "x", "--unsigned")
    assert "run air: slow values" in refused(*train) and "--node chooses among hub\n" in refused(*train)
    assert "2 windows to learn from" in refused(*train, "--node", "air")  # of 32 readings, a quarter anew each
    assert "where 24 are the least: commission_s of the runs" in refused(*train, "--node", "hub")
    fans(tmp_path / "all", {"hub": 1.0})
    good("train", tmp_path / "all", "--out", tmp_path / "of-hub", "--unsigned")
    said = refused("evaluate", tmp_path / "fans", "--bundle", tmp_path / "of-hub")
    assert "run air: 1 channels, where" in said and said.endswith("; --node chooses others\n")


def test_training_says_what_is_wrong_with_name_data_and_key(place: Path, tmp_path: Path) -> None:
    assert "cannot be a bundle's name" in model("train", place / "fans", "--out", tmp_path / "Fan").stderr
    out = ("--out", tmp_path / "x")
    assert "dataset.json: missing" in refused("train", tmp_path, *out, "--unsigned")
    assert "no node 'nave'" in refused("train", place / "fans", "--node", "nave", *out, "--unsigned")
    assert "nowhere.pem" in refused("train", place / "fans", *out, "--key", tmp_path / "nowhere.pem")
    (tmp_path / "open.pem").write_bytes((place / "key.pem").read_bytes())
    (tmp_path / "open.pem").chmod(0o644)
    assert "others can read it" in refused("train", place / "fans", *out, "--key", tmp_path / "open.pem")
    assert model("train", place / "fans", *out, "-c", tmp_path / "none.toml").exit_code == os.EX_CONFIG
    assert not (tmp_path / "x").exists()


def test_rows_of_features_do_not_tell_the_rate_of_their_samples(place: Path, tmp_path: Path) -> None:
    fans(tmp_path / "raw", {"hub": 1.0})
    (recording,) = dataset.load(tmp_path / "raw").recordings
    rows = stream.of(recording, 1, 64).x.astype(np.int32)
    run = recording.run.model_copy(
        update={"kind": "features", "feature_set": 1, "samples": 64, "rate_hz": 0.1, "context": (), "commission_s": 1e4}
    )
    with dataset.Writer(tmp_path / "rows", name="rows", licence="CC0-1.0") as writer:
        writer.add(run, rows)
    train = ("train", tmp_path / "rows", "--unsigned", "--out", tmp_path / "fan")
    assert "--rate-hz" in refused(*train)
    assert "are statistics, not slow" in refused(*train, "--features", "slow", "--rate-hz", 200)
    good(*train, "--rate-hz", 200)
    manifest = trained(tmp_path, "fan").manifest
    assert (manifest.feature_set, manifest.samples, manifest.rate_millihz) == (1, 64, 200_000)
    good("calibrate", place / "fan", tmp_path / "rows", "--out", tmp_path / "fan-4", "--unsigned")


def test_the_gateways_own_key_is_trusted_and_a_strangers_is_not(place: Path, config: Path, bundle: Path) -> None:
    with_config = ("-c", config)
    stranger = refused("verify", bundle, *with_config)
    assert "bundle.sig: signed by a key that is not trusted here" in stranger
    assert "gateway.key" in refused("sign", bundle, *with_config)  # it has never been started
    Journal.open(config.parent / "state").close()
    assert "signed by" in good("sign", bundle, *with_config)
    assert "good, signed by" in good("verify", bundle, *with_config)
    assert "not trusted" in refused("verify", bundle, "--trusted", TRUSTED)
    public = load(place / "fan", ANY).signed_by
    assert public is not None
    assert "good" in good("verify", place / "fan", "--trusted", public.hex())
    assert model("verify", place / "fan", "--trusted", "xyz").exit_code == 2


def check(config: Path) -> Result:
    return CliRunner().invoke(main, ["check", "-c", str(config)], catch_exceptions=False)


def test_check_says_whose_bundle_it_does_not_take_and_why(place: Path, config: Path) -> None:
    shutil.copytree(place / "fan-host", config.parent / "fan-host")
    result = check(config)
    assert result.exit_code == os.EX_CONFIG
    public = load(place / "fan-host", ANY).signed_by
    assert public is not None and public.hex() in result.stderr and "asset.model 'fan-host'" in result.stderr
    text = config.read_text()
    config.write_text(text + f'trusted_keys = ["{public.hex()}"]\n')
    assert check(config).exit_code == 0
    (config.parent / "fan-host" / "bundle.sig").unlink()
    assert "not signed" in check(config).stderr
    config.write_text(text + "allow_unsigned = true\n")
    result = check(config)
    assert result.exit_code == 0
    assert "warning: bundle 'fan-host' is not signed by anybody trusted" in result.stdout
    config.write_text(text + 'trusted_keys = ["ABC"]\n')
    assert "rescoring.trusted_keys[0]" in check(config).stderr


def test_check_refuses_a_bundle_under_another_name(place: Path, config: Path) -> None:
    shutil.copytree(place / "fan", config.parent / "fan-host")
    public = load(place / "fan", ANY).signed_by
    assert public is not None
    config.write_text(config.read_text() + f'trusted_keys = ["{public.hex()}"]\n')
    assert "is the bundle 'fan', not 'fan-host'" in check(config).stderr


def test_inspect_shows_a_bundle_whole(place: Path) -> None:
    told = good("inspect", place / "fan-2")
    for line in (
        "bundle fan-2, version 2, for a node: autoencoder", "features: statistics (set 1), 9 of 64 samples at 200 Hz",
        "channel x: in 16384/g", "features that the model does not see: 0, 3, 6", "licence: CC0-1.0",
        "gateway: can run it", "node: can run it, and computes what its self-test says",
        "operator 0: FULLY_CONNECTED to [1, 6], 54 MACs, 78 bytes", "in all: 156 MACs an inference",
    ):  # fmt: skip
        assert line in told, line
    assert f"flash {len(trained(place, 'fan-2').image or b'')} bytes" in told
    assert "node: cannot run it: a bundle for the gateway" in good("inspect", place / "fan-host")


@pytest.mark.skipif(not DATA.is_dir(), reason="no published models in ../shared/data")
def test_any_tflite_is_asked_of_node_and_gateway() -> None:
    said = {file.stem: good("inspect", file) for file in DATA.glob("*.tflite")}
    assert all(re.search("^gateway: can run it$", told, re.MULTILINE) for told in said.values())
    for name, why in {
        "ad01_int8": "640 and 640 values at its ends, where an image has 64 at most; flash 276976 bytes",
        "ad01_fp32": "the node's engine refuses it: a tensor of a type that is not supported there: FULLY_CONNECTED",
        "hello_world_int8": "no feature set gives 1 values",
        "silabs_micro_speech": "a tensor of a type that is not supported there: DEPTHWISE_CONV_2D (operator 0)",
        "simple_add_model": "not a graph from one input to one output",
    }.items():
        assert re.search(f"^node: cannot run it: .*{re.escape(why)}", said[name], re.MULTILINE), said[name]
    assert f"in all: {AD01_MACS} MACs" in said["ad01_int8"]
    assert f"in all: {16 + 256 + 16} MACs" in said["hello_world_int8"]
    assert f"in all: {25 * 20 * 8 * 10 * 8 + 4000 * 4} MACs" in said["micro_speech_quantized"]  # 8 filters of 10 x 8


def square(n: int, zero_point: int = 0) -> bytes:
    return tflite_of(Network(1.0, 0, [Layer(np.zeros((n, n)), None, [1.0], 1.0, zero_point)]))


@pytest.mark.parametrize(
    ("tflite", "said"),
    [
        (square(70), "node: cannot run it: 70 and 70 values at its ends"),
        (square(9), "node: can run it; flash"),
        (square(9, 1), "node: can run it; flash"),  # a classifier
        (square(7), "node: cannot run it: no feature set gives 7 values"),
    ],
)
def test_what_an_image_cannot_hold_is_said(tflite: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "x.tflite").write_bytes(tflite)
    assert said in good("inspect", tmp_path / "x.tflite")


@pytest.mark.parametrize("data", [b"", b"nothing of the kind", square(9)[:200], bytes(4) + b"TFL3" + bytes(range(99))])
def test_what_is_no_model_is_said(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.tflite").write_bytes(data)
    assert re.search("not a .tflite file|damaged", refused("inspect", tmp_path / "x.tflite"))


def test_inspect_and_verify_name_what_is_broken(bundle: Path) -> None:
    (bundle / "model.tflite").write_bytes(b"other")
    assert "model.tflite: damaged" in refused("inspect", bundle)
    public = (bundle / "bundle.sig").read_text().split()[1]
    assert "model.tflite: damaged" in refused("verify", bundle, "--trusted", public)


def test_exports_are_the_model_the_image_and_the_header(place: Path, tmp_path: Path) -> None:
    whole = trained(place, "fan-2")
    for form, file in (("tflite", "a.tflite"), ("micropython", "a.cbor"), ("c-header", "a.h")):
        assert file in good("export", place / "fan-2", "--as", form, "--out", tmp_path / file)
    assert (tmp_path / "a.tflite").read_bytes() == whole.model
    assert (tmp_path / "a.cbor").read_bytes() == whole.image
    header = (tmp_path / "a.h").read_text()
    assert f"FAN_2_IMAGE_SIZE = {len(whole.image or b'')}" in header
    told = good("export", place / "fan-2", "--as", "micropython", "--node", "rim", "--out", tmp_path / "rim.cbor")
    assert '"model": "rim.cbor", "feature_set": 1, "samples": 64, "rate_millihz": 200000' in told
    assert (tmp_path / "rim.cbor").read_bytes() == exporting.image(whole, "rim")
    assert "no node can run it" in refused("export", place / "fan-host", "--as", "c-header", "--out", tmp_path / "x")


def test_nothing_is_signed_whose_self_test_the_node_would_not_pass(place: Path, bundle: Path) -> None:
    whole = load(bundle, ANY)
    features, error, outputs = cbor2.loads(whole.image or b"")[8]
    image_field(8, [features, error + 1, outputs])(bundle)
    assert "self-test: the node computes error" in refused("sign", bundle, "--key", place / "key.pem")
    assert load(bundle, Trust(allow_unsigned=True))
