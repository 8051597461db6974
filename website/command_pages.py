"""A page for every verb of the command line, from its own help."""

from __future__ import annotations

import re

from hemozoin.cli.main import app

#: A verb's heading as cyclopts writes it.
_VERB = re.compile(r"^## hemozoin (\S+)$", re.MULTILINE)

#: What every switch and every empty list would say, and what tells nobody anything.
_NO_DEFAULT = re.compile(r" \*\[default: (?:False|\(\))\]\*")


def command_pages() -> dict[str, str]:
    """Return the pages as Markdown, by name: "index" first, then the verbs in their order."""
    overview, *parts = _VERB.split(_NO_DEFAULT.sub("", app.generate_docs()))
    verbs = dict(zip(parts[::2], parts[1::2], strict=True))
    return {"index": _overview(overview)} | {verb: _page(verb, verbs[verb]) for verb in verbs}


def _overview(text: str) -> str:
    """Drop the table of contents, which the navigation is, and link to the verbs' pages."""
    text = re.sub(r"## Table of Contents\n.*?(?=\*\*Commands\*\*)", "", text, flags=re.DOTALL)
    text = text.replace("# hemozoin\n", "# Command line\n", 1)
    return re.sub(r"\(#hemozoin-(\w+)\)", r"(\1.md)", text)


def _page(verb: str, text: str) -> str:
    """Make a page of what stood under a verb's heading; its own verbs move up with it."""
    return f"# hemozoin {verb}\n{re.sub('^###', '##', text, flags=re.MULTILINE)}"
