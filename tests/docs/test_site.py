"""The documentation builds strictly, has no broken link, and loads nothing from other hosts."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import hemozoin
from hemozoin.cli.main import app
from tests.support.commands import succeed

pytest.importorskip("properdocs", reason="needs ProperDocs: pip install 'hemozoin[docs]'")

from properdocs.exceptions import PluginError

import hooks

ROOT = Path(__file__).parents[2]

#: The attribute whose address a browser loads when it shows a page, by tag.
FETCHED = {
    **dict.fromkeys(("script", "img", "iframe", "source", "audio", "video", "embed"), "src"),
    **{"link": "href", "object": "data", "image": "href", "use": "href"},
}


@dataclass
class Html(HTMLParser):
    """The parts of a page that the tests look at."""

    links: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    unnamed_pictures: int = 0

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.ids |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        if tag in FETCHED and FETCHED[tag] in found:
            self.fetched.append(found[FETCHED[tag]])
        self.unnamed_pictures += tag == "img" and "alt" not in found


def read(page: Path) -> Html:
    html = Html()
    html.feed(page.read_text(encoding="utf-8"))
    return html


def build(folder: Path, where: Path) -> subprocess.CompletedProcess[str]:
    call = [sys.executable, "-m", "properdocs", "build", "--strict", "--site-dir", str(folder)]
    return subprocess.run(call, check=False, cwd=where, capture_output=True, text=True)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "site"
    done = build(folder, ROOT)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Html]:
    return {page: read(page) for page in sorted(site.rglob("*.html"))}


@pytest.mark.slow
def test_every_link_within_the_site_has_a_target(pages: dict[Path, Html]) -> None:
    checked = 0
    for page, html in pages.items():
        for link in [*html.links, *html.fetched]:
            parts = urlsplit(link)
            if parts.scheme or page.name == "404.html":  # the 404 page is shown at any address
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            assert target.is_file(), f"{page.name}: {link}"
            if parts.fragment:
                assert unquote(parts.fragment) in pages[target].ids, f"{page.name}: {link}"
            checked += 1
    assert checked > 300


@pytest.mark.slow
def test_no_page_loads_from_another_host(site: Path, pages: dict[Path, Html]) -> None:
    for page, html in pages.items():
        for address in html.fetched:
            assert urlsplit(address).scheme in ("", "data"), f"{page.name}: {address}"
            assert not address.startswith("//")
        assert not html.unnamed_pictures, page.name
        assert not re.search(r"@import|url\((?!['\"]?(?:#|data:))", page.read_text("utf-8"))
    for file in [*site.rglob("*.css"), *site.rglob("site.js")]:
        assert not re.search(r"https?:|//\w+\.\w|@import|url\(|import\(|fetch\(", file.read_text())


@pytest.mark.slow
def test_every_page_is_in_the_navigation(site: Path, pages: dict[Path, Html]) -> None:
    front = site / "index.html"
    reached = {(site / link.partition("#")[0]).resolve() for link in pages[front].links}
    assert set(pages) - reached == {site / "404.html"}


@pytest.mark.slow
@pytest.mark.parametrize("verb", [name for name in app if not name.startswith("-")])
def test_a_page_for_each_verb(site: Path, verb: str) -> None:
    text = plain(site / "commands" / f"{verb}.html")
    assert f"hemozoin {verb}" in text
    for option in re.findall(r"--[a-z][\w-]+", succeed(verb, "--help")):
        assert option in text or option in ("--help", "--version")


@pytest.mark.slow
def test_a_section_for_each_public_name(site: Path) -> None:
    page = site / "python.html"
    assert {name.lower() for name in hemozoin.__all__} <= {name.lower() for name in read(page).ids}
    text = plain(page)
    for signature in ('hemozoin.load(model: str | Path = "nano"', "bn_epsilon", "RunFolder"):
        assert signature.replace(" ", "") in text.replace(" ", "")


@pytest.mark.slow
def test_type_aliases_are_explained(site: Path) -> None:
    text = plain(site / "python.html").partition("Type aliases and constants")[2]
    for line in ('Precision Literal["fp32", "int8"]', "PREVALENCE 0.01", "Picture str | Path |"):
        assert line in text


@pytest.mark.slow
def test_returned_classes_are_shown(site: Path) -> None:
    text = plain(site / "python.html").partition("Returned classes")[2]
    for line in (
        "class hemozoin.smear.field.Cell(SmearObject)",
        "hemozoin.mobilenet.cost.Cost",
        "mult_adds",
    ):
        assert line in text
    assert "class hemozoin.model.bundle.Bundle" not in text  # a parameter, not returned


@pytest.mark.slow
def test_the_paper_is_shown_with_its_numbers(site: Path) -> None:
    text = plain(site / "mobilenet.html")
    for number in ("53,952", "1,228,800", "4,800", "49,152", "568.74", "1.91"):
        assert number in text
    assert (site / "mobilenet.html").read_text(encoding="utf-8").count("<svg") > 10


@pytest.mark.slow
def test_cards_of_all_networks_that_ship(site: Path) -> None:
    for name in ("nano", "best"):
        assert "Not a medical device" in plain(site / "models" / f"{name}.html")


@pytest.mark.slow
def test_the_page_on_screening_says_which_networks_compensate(site: Path) -> None:
    text = plain(site / "screen.html").partition("false-positive rate ")[2]
    for name in ("nano", "best"):
        known = hemozoin.load(name).bundle.counting is not None
        text_of_network = text.partition(name)[2][:90]
        assert ("±" in text_of_network) == known
        assert ("not compensated" in text_of_network) != known


@pytest.mark.slow
def test_no_placeholder_is_left(pages: dict[Path, Html]) -> None:
    for page in pages:
        assert not re.search(r"<!-- (?:chapter|output|rates)", page.read_text(encoding="utf-8"))


@pytest.mark.slow
def test_a_misspelt_page_of_the_navigation_stops_the_build(tmp_path: Path) -> None:
    for name in ("docs", "website", "benchmarks", "src", "README.md", "CHANGELOG.md"):
        (tmp_path / name).symlink_to(ROOT / name)
    text = (ROOT / "properdocs.yml").read_text(encoding="utf-8")
    (tmp_path / "properdocs.yml").write_text(text.replace("traps.md", "trapss.md"), "utf-8")
    done = build(tmp_path / "site", tmp_path)
    assert done.returncode == 1
    assert "traps.md" in done.stderr


def test_a_command_that_fails_stops_the_build() -> None:
    text = "```sh\nhemozoin explain network --size 224\nhemozoin explain network --size 5\n```\n"
    with pytest.raises(PluginError, match="--size 5: exit code 2"):
        hooks.with_output(f"{text}<!-- output -->\n")
    assert hooks.with_output(text) == text


def test_the_output_of_a_command_is_shown_below_it() -> None:
    shown = hooks.with_output("```sh\nhemozoin explain separable gauss\n```\n<!-- output -->\n")
    assert shown.startswith("```sh\nhemozoin explain separable gauss\n```\n\n```text\n")
    assert "yes, spatially separable" in shown


@pytest.mark.slow
def test_search_finds_every_page(site: Path, pages: dict[Path, Html]) -> None:
    script = (site / "pages.js").read_text(encoding="utf-8")
    found = json.loads(script.removeprefix("const PAGES = ").removesuffix(";\n"))
    assert {site / page["url"] for page in found} == set(pages) - {site / "404.html"}
    assert "depthwise" in next(page["text"] for page in found if page["url"] == "mobilenet.html")
    assert not any(re.search(r"<[a-z]", page["text"]) for page in found if page["url"][:2] == "qu")


def plain(page: Path) -> str:
    """Return the text of a page."""
    text = re.sub(r"<[^>]+>", "", page.read_text(encoding="utf-8"))
    return " ".join(text.replace("&quot;", '"').replace("&gt;", ">").split())
