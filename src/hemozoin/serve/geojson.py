"""The outlines of a field in GeoJSON, as QuPath imports them: one detection for each object."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

#: The colours of the overlays; objects that are not counted are grey.
_COLOURS = {"parasitized": (213, 94, 0), "review": (240, 228, 66), "uninfected": (0, 158, 115)}
_NOT_COUNTED = (109, 100, 114)


def field_as_geojson(field: dict[str, Any]) -> dict[str, Any]:
    """Return a feature collection of a saved field; a cell's class is the network's decision."""
    return {"type": "FeatureCollection", "features": [*_features(field)]}


def _features(field: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for found in [*field["cells"], *field["others"]]:
        if len(found["outline"]) < 3:
            continue
        name = found.get("decision", found["kind"])
        measured = {"p parasitized": found["p_parasitized"]} if "decision" in found else {}
        yield {
            "type": "Feature",
            "geometry": {
                "type": "Polygon",
                "coordinates": [[*found["outline"], found["outline"][0]]],
            },
            "properties": {
                "objectType": "detection",
                "classification": {"name": name, "color": _COLOURS.get(name, _NOT_COUNTED)},
                "measurements": measured,
            },
        }
