"""The key that the tests sign Bundles with, and what a gateway that trusts it is told."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.detectors.signature import Trust, public_bytes

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = public_bytes(KEY)
TRUSTED = PUBLIC.hex()
TRUST = Trust(frozenset({PUBLIC}))
