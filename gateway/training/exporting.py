"""A Bundle's model for who builds a firmware, or copies files onto a board."""

from __future__ import annotations

import hashlib
import re

from gateway.detectors.bundle import Bundle
from gateway.training import bundle_writer

_COLUMNS = 16
_ID_BYTES = 8  # nodes/c_tflm/infer/model.h, struct model


class NoImage(ValueError):  # noqa: N818 - says what the bundle is for
    """A Bundle of role "host" has no image for a node."""


def image(bundle: Bundle, node: str = "", asset: str = "") -> bytes:
    """The model image with the threshold of this node, or of any: what a node is given. Raises NoImage."""
    if bundle.image is None or bundle.manifest.node is None:
        raise NoImage(f"{bundle.name} is a bundle for the gateway: no node can run it")
    threshold = bundle.manifest.threshold_for(node, asset)
    if threshold == bundle.manifest.node.threshold:
        return bundle.image
    own = bundle.manifest.model_copy(update={"node": bundle.manifest.node.model_copy(update={"threshold": threshold})})
    return bundle_writer.model_image(own, bundle.model, bundle_writer.self_test_of(bundle))


def c_header(bundle: Bundle, data: bytes) -> str:
    """The image as a constant array, with its length and its id. `data` is from `image`."""
    manifest = bundle.manifest
    name = re.sub(r"[^A-Z0-9]", "_", bundle.name.upper())
    guard = f"STETHOS_MODEL_{name}_H"
    channels = ", ".join(f"{c.name} ({c.unit})" for c in manifest.channels)
    about = [
        f"Bundle {bundle.name}: feature set {manifest.feature_set} of {manifest.samples} samples at "
        f"{manifest.rate_millihz / 1000:g} Hz; channels {channels}.",
        f"Licence: {manifest.licence}.",
    ]
    lines = [
        *(f"{'/*' if i == 0 else ' *'} {_harmless(line)}" for i, line in enumerate(about)), " */",
        f"#ifndef {guard}", f"#define {guard}", "", "#include <stdint.h>", "",
        f"enum {{ {name}_IMAGE_SIZE = {len(data)} }};", "",
        "/* First bytes of the image's SHA-256: what the node names the model by. */",
        f"static const uint8_t {name}_ID[{_ID_BYTES}] = {{{_bytes(hashlib.sha256(data).digest()[:_ID_BYTES])}}};", "",
        f"static const uint8_t {name}_IMAGE[{name}_IMAGE_SIZE] = {{",
        *(f"    {_bytes(data[at : at + _COLUMNS])}," for at in range(0, len(data), _COLUMNS)),
        "};", "", "#endif", "",
    ]  # fmt: skip
    return "\n".join(lines)


def _bytes(data: bytes) -> str:
    return ", ".join(f"0x{byte:02x}" for byte in data)


def _harmless(text: str) -> str:
    """Words of others, within a comment of ASCII."""
    return text.encode("ascii", "replace").decode().replace("*/", "* /").replace("\n", " ")
