"""A page for each verb of the command line, from its help text."""

from __future__ import annotations

import re

from hemozoin.cli.main import app

#: The heading of a verb in the Markdown that cyclopts writes.
_VERB = re.compile(r"^## hemozoin (\S+)$", re.MULTILINE)

#: The defaults of switches and of empty lists, which tell the reader nothing.
_NO_DEFAULT = re.compile(r" \*\[default: (?:False|\(\))\]\*")


def command_pages() -> dict[str, str]:
    """Return the pages as Markdown by name: "index" first, then the verbs in their order."""
    overview, *parts = _VERB.split(_NO_DEFAULT.sub("", app.generate_docs()))
    verbs = dict(zip(parts[::2], parts[1::2], strict=True))
    return {"index": _overview(overview)} | {verb: _page(verb, verbs[verb]) for verb in verbs}


def _overview(text: str) -> str:
    """Return the first page: without the table of contents, with links to the verbs' pages."""
    text = re.sub(r"## Table of Contents\n.*?(?=\*\*Commands\*\*)", "", text, flags=re.DOTALL)
    text = text.replace("# hemozoin\n", "# Command line\n", 1)
    return re.sub(r"\(#hemozoin-(\w+)\)", r"(\1.md)", text)


def _page(verb: str, text: str) -> str:
    """Return a verb's page: its section with every heading one level higher."""
    return f"# hemozoin {verb}\n{re.sub('^###', '##', text, flags=re.MULTILINE)}"
