"""Pages from other places in the project that the documentation includes."""

from __future__ import annotations

import re
from pathlib import Path

import hemozoin

ROOT = Path(__file__).parents[1]

_CARDS = Path(hemozoin.__file__).parent / "model" / "pretrained"


def included_pages() -> dict[str, str]:
    """Return the pages as Markdown, by their path in docs/."""
    benchmarks = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    cards = sorted(_CARDS.glob("*/README.md"), reverse=True)  # nano, the default, first
    return {
        # Without the markers around its tables, which only benchmarks/readme.py needs.
        "benchmarks.md": re.sub(r"<!-- .*? -->\n", "", benchmarks),
        "changes.md": (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"),
        **{f"models/{card.parent.name}.md": _card(card) for card in cards},
    }


def _card(card: Path) -> str:
    """Return a card without its YAML header, with the network's name in its title."""
    text = card.read_text(encoding="utf-8").split("\n---\n", 1)[1].strip()
    return text.replace("# ", f"# {card.parent.name}: ", 1)
