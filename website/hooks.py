"""What the code adds to the documentation while it is built, so that it can't go stale.

ProperDocs calls these functions by their names. They add whole pages (the commands, the Python
API, the model cards, the benchmarks), the chapters of `hemozoin explain` in the place of
`<!-- chapter: name -->`, under a block of commands what they print, for `<!-- output -->`, and the
networks' rates of false positives, for `<!-- rates -->`.
"""

from __future__ import annotations

import io
import json
import re
import shlex
from collections.abc import Iterator
from contextlib import redirect_stdout
from functools import cache
from html import unescape
from pathlib import Path
from typing import Any

from properdocs.config.defaults import ProperDocsConfig
from properdocs.exceptions import PluginError
from properdocs.structure.files import File, Files
from properdocs.structure.pages import Page

from borrowed_pages import borrowed_pages
from command_pages import command_pages
from hemozoin.cli.main import main
from hemozoin.paper.explain.chapters import Chapters, all_chapters
from hemozoin.paper.explain.page import render_chapters, style
from props import in_example_folder
from python_page import python_page
from rates import rates

#: A block of commands whose output is to follow.
_COMMANDS = re.compile(r"```sh\n([^`]*)```\n<!-- output -->")

#: For the search field, filled while pages are made: where, what it is called, what it says.
_searched: list[dict[str, str]] = []


@cache
def made_pages() -> dict[str, str]:
    """Return the pages that the code writes, as Markdown by their path in docs/."""
    commands = {f"commands/{name}.md": page for name, page in command_pages().items()}
    return {"python.md": python_page(), **commands, **borrowed_pages()}


def on_config(config: ProperDocsConfig) -> None:
    """Put the made pages of a folder under its entry in the navigation, `Title: folder/`.

    Entries for pages that are still to be written are left out. A misspelt one is found all the
    same: its page is then in no entry, which is a warning.
    """
    docs = Path(config.docs_dir)
    there = {page.relative_to(docs).as_posix() for page in docs.rglob("*.md")}
    config.nav = list(_filled(config.nav or [], there | set(made_pages())))
    _searched.clear()


def _filled(entries: list[dict[str, Any]], pages: set[str]) -> Iterator[dict[str, Any]]:
    for entry in entries:
        ((title, to),) = entry.items()
        if isinstance(to, list):
            yield {title: list(_filled(to, pages))}
        elif to.endswith("/"):
            yield {title: [{_short(page): page} for page in made_pages() if page.startswith(to)]}
        elif to in pages:
            yield entry


def _short(page: str) -> str:
    name = Path(page).stem
    return "Overview" if name == "index" else name


def on_files(files: Files, config: ProperDocsConfig) -> None:
    """Add the made pages, and the style sheet of `hemozoin explain`, which is the site's too."""
    for path, text in made_pages().items():
        files.append(File.generated(config, path, content=text))
    files.append(File.generated(config, "explain.css", content=style()))


def on_page_markdown(markdown: str, page: Page, config: ProperDocsConfig, files: Files) -> str:
    """Show what commands print, and what the networks that ship know of their mistakes."""
    return with_output(re.sub("<!-- rates -->", lambda _: rates(), markdown))


def with_output(markdown: str) -> str:
    """Run the commands above each `<!-- output -->`; raises PluginError where one fails."""
    return _COMMANDS.sub(lambda block: f"```sh\n{block[1]}```\n\n{_output(block[1])}", markdown)


def _output(commands: str) -> str:
    printed = io.StringIO()
    with in_example_folder(), redirect_stdout(printed):
        for line in commands.splitlines():
            if code := main(shlex.split(line, comments=True)[1:]):
                raise PluginError(f"{line}: ended with {code}")
    return f"```text\n{printed.getvalue().rstrip()}\n```"


def on_page_content(html: str, page: Page, config: ProperDocsConfig, files: Files) -> str:
    """Put in the chapters of `hemozoin explain`, and let wide tables be scrolled."""
    _searched.append({"url": page.url, "title": str(page.title), "text": _words(html)})
    html = html.replace("<table>", '<div class="scroll"><table>')
    html = html.replace("</table>", "</table></div>").replace(" ± ", "&nbsp;±&nbsp;")
    return re.sub("<!-- chapter: (.*?) -->", lambda found: _chapter(found[1]), html)


def _words(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def _chapter(name: str) -> str:
    """Return a chapter as HTML, without its heading, which the page has itself."""
    chapter = Chapters(**{name: getattr(all_chapters(), name)})
    return re.sub("<h2>.*?</h2>", "", render_chapters(chapter), count=1)


def on_post_build(config: ProperDocsConfig) -> None:
    """Write the pages' words as a script: a browser reads no data from a folder."""
    script = f"const PAGES = {json.dumps(_searched, ensure_ascii=False)};\n"
    Path(config.site_dir, "pages.js").write_text(script, encoding="utf-8")
