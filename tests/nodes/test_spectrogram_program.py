"""The program stethos-node with a Bundle that looks at a spectrogram: its scores are those that evaluation foresees."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from gateway.detectors import errors
from gateway.detectors.manifest import IMAGE
from gateway.training import spectrogram_bundle
from gateway.training.mobilenet_judge import by_int8
from gateway.wire import score
from gateway.wire.messages import Birth, Flag
from tests.nodes.test_core_program import Peer, finish, link_of, serve_udp
from tests.training.spectrogram_bundles import make


@pytest.mark.parametrize("held", [288, 96], ids=["a window that fits", "a window longer than memory"])
def test_the_node_says_what_evaluation_foresees(
    start, udp, tmp_path: Path, node_build, held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spectrogram_bundle, "NODE_SAMPLES", held)
    made = make(tmp_path, known="high")
    manifest, image = made.bundle.manifest, made.bundle.folder / IMAGE
    run = next(recording for recording in made.data.recordings if recording.run.asset == "high")
    recording = tmp_path / "high.samples"
    header = f"stethos-samples 1 channels=2 rate_millihz={manifest.rate_millihz} unit=1000/g\n"
    recording.write_bytes(header.encode() + run.samples().astype("<i2").tobytes())
    process = start(link_of(udp), "--model", str(image), "--wake-ms", "1000", "--speed", "1000", "--flag-repeat", "1",
                    source=f"file:{recording}?contiguous=1")  # fmt: skip
    peer = Peer()
    serve_udp(udp, peer, process)
    counters = finish(process)

    own = made.seen.x[made.seen.label == 1]
    foreseen = errors.confidence(by_int8(made.trained, own), 1)
    limit = manifest.node.threshold
    assert counters["windows"] == len(own)
    assert counters["anomalous"] == np.sum(foreseen > limit)
    told = {message.score for message in peer.received if isinstance(message, Flag)}
    assert told == {max(score.encode(int(e), limit), score.AT_THRESHOLD + 1) for e in foreseen if e > limit}
    assert len(told) > 1
    birth = next(message for message in peer.received if isinstance(message, Birth))
    assert (birth.model, birth.feature_set) == (hashlib.sha256(image.read_bytes()).digest()[:8], 1)
    assert birth.more.samples == manifest.samples == held
