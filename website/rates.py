"""The rates of false positives that the networks that ship have, as a table."""

from __future__ import annotations

from hemozoin.decision.false_positive_rate import FalsePositiveRate
from hemozoin.model.bundle import load_bundle
from hemozoin.model.registry import find_model

#: Networks in the order of the documentation.
_SHIPPED = ("nano", "best")


def rates() -> str:
    """Return a line for each network, in Markdown."""
    lines = [
        f"| `{name}` | {_rate(load_bundle(find_model(name)).false_positive_rate)} |"
        for name in _SHIPPED
    ]
    return "\n".join(["| network | its rate of false positives |", "|---|---|", *lines])


def _rate(found: FalsePositiveRate | None) -> str:
    if found is None:
        return "not known: a slide screened with it is **not compensated**"
    return (
        f"{found.rate:.2%}, between patients ± {found.sd:.2%}: {found.cells:,} uninfected cells of"
        f" {found.patients} patients that it had not seen"
    )
