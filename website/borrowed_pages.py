"""Pages that lie elsewhere in the project and are shown in the documentation as they are."""

from __future__ import annotations

import re
from pathlib import Path

import hemozoin

ROOT = Path(__file__).parents[1]

_CARDS = Path(hemozoin.__file__).parent / "model" / "pretrained"


def borrowed_pages() -> dict[str, str]:
    """Return the pages as Markdown, by their path in docs/."""
    tried = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    cards = sorted(_CARDS.glob("*/README.md"), reverse=True)  # nano, the default, comes first
    return {
        # Without the markers of its tables, which benchmarks/readme.py needs.
        "benchmarks.md": re.sub(r"<!-- .*? -->\n", "", tried),
        "changes.md": (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"),
        **{f"models/{card.parent.name}.md": _card(card) for card in cards},
    }


def _card(card: Path) -> str:
    """Drop what a card says to programs, and put the network's name in its title."""
    text = card.read_text(encoding="utf-8").split("\n---\n", 1)[1].strip()
    return text.replace("# ", f"# {card.parent.name}: ", 1)
