"""The settings that the fields of a screened slide depend on, as its output folder keeps them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from hemozoin.about import VERSION
from hemozoin.model.checksums import SUMS
from hemozoin.model.registry import Precision, find_model


def screen_settings(
    model: str | Path,
    precision: Precision = "fp32",
    diameter: float | None = None,
    is_single: bool = True,
) -> dict[str, Any]:
    """Return all that the fields depend on, and whether each slide has its own folder."""
    sums = (find_model(model) / SUMS).read_bytes()
    return {
        "hemozoin": VERSION,
        "model": hashlib.sha256(sums).hexdigest(),
        "precision": precision,
        "diameter": diameter,
        "slides": "one" if is_single else "several",
    }
