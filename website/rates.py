"""A table of how often the pretrained networks are wrong when they count."""

from __future__ import annotations

from hemozoin.decision.counting_point import CountingPoint
from hemozoin.decision.patient_rate import PatientRate
from hemozoin.model.bundle import load_bundle
from hemozoin.model.registry import find_model

#: Networks in the order of the documentation.
_PRETRAINED = ("nano", "best")


def rates() -> str:
    """Return the table in Markdown: a line for each network."""
    lines = [
        f"| `{name}` | {' | '.join(_columns(load_bundle(find_model(name)).counting))} |"
        for name in _PRETRAINED
    ]
    titles = "| network | counted | false-positive rate | sensitivity |"
    return "\n".join([titles, "|---|---|---|---|", *lines])


def _columns(point: CountingPoint | None) -> tuple[str, str, str]:
    if point is None:
        return "", "not known: the counts are **not compensated**", ""
    counted = (
        "all cells called infected" if point.threshold is None else f"p ≥ {point.threshold:.3f}"
    )
    sensitivity = _rate(point.sensitivity) if point.sensitivity else "not corrected for"
    return counted, _rate(point.false_positives), sensitivity


def _rate(found: PatientRate) -> str:
    return (
        f"{100 * found.rate:.2g} % ± {100 * found.sd:.2g} %,"
        f" {found.cells:,} cells of {found.patients} patients"
    )
