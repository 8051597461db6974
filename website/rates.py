"""A table of the false-positive rates of the pretrained networks."""

from __future__ import annotations

from hemozoin.decision.false_positive_rate import FalsePositiveRate
from hemozoin.model.bundle import load_bundle
from hemozoin.model.registry import find_model

#: Networks in the order of the documentation.
_PRETRAINED = ("nano", "best")


def rates() -> str:
    """Return the table in Markdown: a line for each network."""
    lines = [
        f"| `{name}` | {_rate(load_bundle(find_model(name)).false_positive_rate)} |"
        for name in _PRETRAINED
    ]
    return "\n".join(["| network | false-positive rate |", "|---|---|", *lines])


def _rate(found: FalsePositiveRate | None) -> str:
    if found is None:
        return "not known: the counts are **not compensated**"
    return (
        f"{found.rate:.2%}, standard deviation between patients {found.sd:.2%}; from"
        f" {found.cells:,} uninfected cells of {found.patients} patients, in cross-validation"
    )
