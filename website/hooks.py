"""Parts of the documentation that the code generates during the build, so that they stay true.

ProperDocs calls the functions by name. They add whole pages (commands, Python API, model cards,
benchmarks). They replace `<!-- chapter: name -->` with a chapter of `hemozoin explain`,
`<!-- output -->` with the output of the commands above it, and `<!-- rates -->` with the
false-positive rates of the networks.
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

from command_pages import command_pages
from example_cells import in_example_folder
from hemozoin.cli.main import main
from hemozoin.paper.explain.chapters import Chapters, all_chapters
from hemozoin.paper.explain.page import render_chapters, style
from included_pages import included_pages
from python_page import python_page
from rates import rates

#: A block of commands whose output is to be shown.
_COMMANDS = re.compile(r"```sh\n([^`]*)```\n<!-- output -->")

#: Address, title and text of each page, for the search field; filled during the build.
_searched: list[dict[str, str]] = []


@cache
def generated_pages() -> dict[str, str]:
    """Return the generated pages as Markdown, by their path in docs/."""
    commands = {f"commands/{name}.md": page for name, page in command_pages().items()}
    return {"python.md": python_page(), **commands, **included_pages()}


def on_config(config: ProperDocsConfig) -> None:
    """List the generated pages of a folder at its entry in the navigation, `Title: folder/`.

    An entry for a page that does not exist is left out. If it was misspelt, its page is in no
    entry, which is a warning and stops the build.
    """
    docs = Path(config.docs_dir)
    existing = {page.relative_to(docs).as_posix() for page in docs.rglob("*.md")}
    config.nav = list(_filled(config.nav or [], existing | set(generated_pages())))
    _searched.clear()


def _filled(entries: list[dict[str, Any]], pages: set[str]) -> Iterator[dict[str, Any]]:
    for entry in entries:
        ((title, to),) = entry.items()
        if isinstance(to, list):
            yield {title: list(_filled(to, pages))}
        elif to.endswith("/"):
            yield {
                title: [{_short(page): page} for page in generated_pages() if page.startswith(to)]
            }
        elif to in pages:
            yield entry


def _short(page: str) -> str:
    name = Path(page).stem
    return "Overview" if name == "index" else name


def on_files(files: Files, config: ProperDocsConfig) -> None:
    """Add the generated pages, and the style sheet of `hemozoin explain`, which the site uses."""
    for path, text in generated_pages().items():
        files.append(File.generated(config, path, content=text))
    files.append(File.generated(config, "explain.css", content=style()))


def on_page_markdown(markdown: str, page: Page, config: ProperDocsConfig, files: Files) -> str:
    """Fill in the output of commands and the false-positive rates."""
    return with_output(re.sub("<!-- rates -->", lambda _: rates(), markdown))


def with_output(markdown: str) -> str:
    """Run the commands above each `<!-- output -->`; raises PluginError if one fails."""
    return _COMMANDS.sub(lambda block: f"```sh\n{block[1]}```\n\n{_output(block[1])}", markdown)


def _output(commands: str) -> str:
    printed = io.StringIO()
    with in_example_folder(), redirect_stdout(printed):
        for line in commands.splitlines():
            if code := main(shlex.split(line, comments=True)[1:]):
                raise PluginError(f"{line}: exit code {code}")
    return f"```text\n{printed.getvalue().rstrip()}\n```"


def on_page_content(html: str, page: Page, config: ProperDocsConfig, files: Files) -> str:
    """Insert the chapters of `hemozoin explain`, and make wide tables scroll."""
    _searched.append({"url": page.url, "title": str(page.title), "text": _text(html)})
    html = html.replace("<table>", '<div class="scroll"><table>')
    html = html.replace("</table>", "</table></div>").replace(" ± ", "&nbsp;±&nbsp;")
    return re.sub("<!-- chapter: (.*?) -->", lambda found: _chapter(found[1]), html)


def _text(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def _chapter(name: str) -> str:
    """Return a chapter as HTML without its heading: the page has its own."""
    chapter = Chapters(**{name: getattr(all_chapters(), name)})
    return re.sub("<h2>.*?</h2>", "", render_chapters(chapter), count=1)


def on_post_build(config: ProperDocsConfig) -> None:
    """Write the text of the pages as a script: browsers load no data files from a local folder."""
    script = f"const PAGES = {json.dumps(_searched, ensure_ascii=False)};\n"
    Path(config.site_dir, "pages.js").write_text(script, encoding="utf-8")
