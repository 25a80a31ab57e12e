"""Where TensorFlow is there: `make test-tensorflow`."""

from __future__ import annotations

import os

from tests.nodes.conftest import node_build  # noqa: F401

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
