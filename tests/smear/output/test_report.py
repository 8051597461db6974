"""The report on a slide: one page, safe with any name, of bounded size however many fields."""

from __future__ import annotations

import re
import weakref
from base64 import b64decode
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemozoin.decision.false_positive_rate import FalsePositiveRate
from hemozoin.smear.counting.tally import Blood, Slide, Tally
from hemozoin.smear.field import Cell, Field, Flaw
from hemozoin.smear.output.report import (
    FAILED,
    INFECTED,
    OVERLAYS,
    REVIEWED,
    ROWS,
    FieldWithPictures,
    render_report,
)
from hemozoin.smear.output.top_k import TopK

KNOWN = FalsePositiveRate(rate=0.02, sd=0.01, patients=40, cells=8000)
USUAL = Blood()
SQUARE = ((0, 0), (9, 0), (9, 9), (0, 9))
BLURRED = Flaw("out of focus", "sharpness", 0.123, 0.3)
NASTY = "<script>alert(1)</script>&\"'.png"


def some_field(
    name: str,
    p: tuple[float, ...] = (),
    review: tuple[float, ...] = (),
    healthy: int = 50,
    flaws: tuple[Flaw, ...] = (),
) -> Field:
    decided = [("parasitized", one) for one in p] + [("review", one) for one in review]
    decided += [("uninfected", 0.01)] * healthy
    cells = (
        Cell("red cell", 0, 0, 9, 9, SQUARE, k, one, decision, "too close to call")
        for k, (decision, one) in enumerate(decided, 1)
    )
    return Field(name, 640, 480, 9, tuple(cells), (), flaws)


def some_shown(found: Field, overlay: Path | None = None) -> FieldWithPictures:
    pictures = {
        cell.cell: f"{found.field} {cell.cell}".encode()
        for cell in found.cells
        if cell.decision != "uninfected"
    }
    return FieldWithPictures(found, overlay, pictures)


def counted(
    shown: list[FieldWithPictures], rate: FalsePositiveRate | None = KNOWN, name: str = "slide 1"
) -> Slide:
    tally = Tally(name)
    for one in shown:
        tally.add(one.field)
    return tally.slide(rate, USUAL)


def page(
    *shown: FieldWithPictures, rate: FalsePositiveRate | None = KNOWN, name: str = "slide 1"
) -> str:
    return render_report(counted(list(shown), rate, name), iter(shown), {"Network": "nano"})


class Seen(HTMLParser):
    """What a browser would find: visible text, addresses of pictures, links, tags."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.pictures: list[bytes] = []
        self._text: list[str] = []
        self.feed(html)

    @property
    def text(self) -> str:
        plain = (
            " ".join(self._text).replace("\N{NO-BREAK SPACE}", " ").replace("\N{WORD JOINER}", "")
        )
        return re.sub(r"\s+", " ", plain)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        found = dict(attrs)
        if tag == "a":
            self.links.append(found["href"] or "")
        if tag == "img":
            head, _, data = (found["src"] or "").partition(",")
            assert head == "data:image/jpeg;base64"
            self.pictures.append(b64decode(data))

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] != ["style"]:
            self._text.append(data)


def test_the_page_needs_nothing_but_itself() -> None:
    html = page(some_shown(some_field("a.png", (0.9,), (0.5,))))
    assert Seen(html).tags.count("script") == 0
    assert not re.search(r"https?://|@import|url\(", html)
    assert 'content="width=device-width' in html
    assert "prefers-color-scheme: dark" in html


@pytest.mark.parametrize(
    ("infected", "rate", "says"),
    [
        (40, KNOWN, "Reportable 20"),
        (1, KNOWN, "Below the reportable limit"),
        (40, None, "Not compensated"),
    ],
)
def test_the_verdict_stands_first(infected: int, rate: FalsePositiveRate | None, says: str) -> None:
    fields = [some_shown(some_field(f"{k}.png", (0.9,) * infected, (), 145)) for k in range(5)]
    text = Seen(page(*fields, rate=rate)).text
    assert says in text[:150]
    assert "research only; not a medical device" in text[:1000]
    assert ("not a negative result" in text) == (says.startswith("Below"))
    assert ("there is no verdict" in text) == (rate is None)


def test_a_slide_that_fails_gives_no_figure() -> None:
    flawed = [some_shown(some_field(f"{k}.png", (), (), 50, (BLURRED,))) for k in range(3)]
    text = Seen(page(*flawed, some_shown(some_field("good.png", (0.9,) * 9)))).text
    assert "Not reported 3 of 4 fields can't be relied on This is not a negative result" in text
    assert "parasites/µL (" not in text
    assert "0.png: out of focus: sharpness 0.123, limit 0.3" in text


def test_the_arithmetic_is_shown() -> None:
    text = Seen(page(some_shown(some_field("a.png", (0.9,) * 10, (0.5,) * 4, 186)))).text
    for line in (
        "Called infected 10 of 200 = 5 %",
        "Expected false positives 2 % of the 193.9 cells not infected = 3.9",
        "10 - 3.9 = 6.1",
        "6.1 / 200 = 3.1 %",
        "the mean of 40 patients",
        "if all 4 were infected: 5.1 %",
    ):
        assert line in text


def test_names_are_names_and_never_markup(tmp_path: Path) -> None:
    overlay = tmp_path / "overlays" / "a b#?%&'.jpg"
    overlay.parent.mkdir()
    overlay.write_bytes(b"jpeg")
    error = Field("b" + NASTY, error=f"b{NASTY}: not a picture")
    shown = (some_shown(some_field(NASTY, (0.9,)), overlay), FieldWithPictures(error, None, {}))
    found = Seen(page(*shown, name=NASTY))
    assert "script" not in found.tags
    assert f"{NASTY}: 51 red cells" in found.text
    assert f"b{NASTY}: not a picture" in found.text
    assert set(found.links) == {"overlays/a%20b%23%3F%25%26%27.jpg"}


def test_cells_are_sorted_and_those_left_out_are_told() -> None:
    p = tuple((k % 997) / 1000 for k in range(INFECTED + 57))
    review = tuple((k % 89) / 100 for k in range(REVIEWED + 3))
    html = page(some_shown(some_field("a.png", p, review, 500)))
    found = Seen(html)
    assert f"The {INFECTED} with the highest p are shown, 57 are left out" in found.text
    assert f"The {REVIEWED} with the highest p are shown, 3 are left out" in found.text
    shown = [float(one) for one in re.findall(r"<span>p ([\d.]+)</span>", html)]
    infected, to_review = shown[:INFECTED], shown[INFECTED:]
    assert infected == sorted(infected, reverse=True)
    assert to_review == sorted(to_review, reverse=True)
    assert (len(infected), len(to_review)) == (INFECTED, REVIEWED)
    assert min(infected) >= sorted(p, reverse=True)[INFECTED - 1] - 0.005


def test_each_cell_has_its_own_picture_field_and_number() -> None:
    fields = (some_field("a.png", (0.6, 0.8)), some_field("b.png", (0.7,), (0.4,)))
    html = page(*map(some_shown, fields))
    assert Seen(html).pictures == [b"a.png 2", b"b.png 1", b"a.png 1", b"b.png 2"]
    tiles = re.findall(r'alt="cell (\d+) of (\S+)"', html)
    assert tiles == [("2", "a.png"), ("1", "b.png"), ("1", "a.png"), ("2", "b.png")]


def test_cells_of_fields_that_are_not_counted_are_not_shown() -> None:
    good, bad = some_field("a.png", (0.6,)), some_field("b.png", (0.99,), (0.5,), 50, (BLURRED,))
    found = Seen(page(some_shown(good), some_shown(good), some_shown(bad)))
    assert set(found.pictures) == {b"a.png 1"}


def test_a_cell_without_a_picture_is_told() -> None:
    assert "no picture" in Seen(page(FieldWithPictures(some_field("a.png", (0.9,)), None, {}))).text


def test_overlays_with_most_infected_cells_are_embedded_and_the_others_linked(
    tmp_path: Path,
) -> None:
    shown = []
    for k in range(OVERLAYS + 5):
        path = tmp_path / f"{k}.jpg"
        path.write_bytes(f"overlay {k}".encode())
        shown.append(some_shown(some_field(f"{k}.png", (0.9,) * k), path))
    found = Seen(page(*shown))
    embedded = [one.decode() for one in found.pictures if one.startswith(b"overlay")]
    assert embedded == [f"overlay {k}" for k in range(OVERLAYS + 4, 4, -1)]
    assert {f"{tmp_path.name}/{k}.jpg" for k in range(OVERLAYS + 5)} <= set(found.links)
    assert f"The {OVERLAYS} with most infected cells" in found.text


def test_an_overlay_that_is_gone_is_left_out(tmp_path: Path) -> None:
    found = Seen(page(some_shown(some_field("a.png"), tmp_path / "gone.jpg")))
    assert found.pictures == []


def test_a_slide_of_thousands_of_fields_is_bounded(tmp_path: Path) -> None:
    """It is gone through once, and no more than a few fields are alive at a time."""
    gone: list[int] = []
    most = 0

    def stream() -> Iterator[FieldWithPictures]:
        nonlocal most
        for k in range(3000):
            flaws = (BLURRED,) if k % 3 == 0 else ()
            one = some_shown(some_field(f"{k}.png", (0.5 + k / 6000,), (0.3,), 3, flaws))
            weakref.finalize(one, gone.append, k)
            most = max(most, k + 1 - len(gone))
            yield one

    slide = counted([some_shown(some_field("a.png", (0.9,), (), 9))])
    html = render_report(slide, stream(), {})
    assert most <= 3
    assert len(html) < 1_000_000
    found = Seen(html)
    assert len(found.pictures) == INFECTED + REVIEWED
    assert f"and {3000 - ROWS:,} more in fields.csv" in found.text
    assert html.count("out of focus: sharpness") <= ROWS + FAILED


def test_what_it_rests_on_is_told() -> None:
    shown = some_shown(some_field("a.png"))
    about = {"Network": "nano", "Its digest": "abc123"}
    text = Seen(render_report(counted([shown]), [shown], about)).text
    assert "Network nano" in text
    assert "Its digest abc123" in text
    assert "Red cells per µL 5,000,000, assumed" in text


@given(st.lists(st.integers(-5, 5)), st.integers(1, 6))
def test_most_holds_what_sorting_would(ranks: list[int], limit: int) -> None:
    most: TopK[int] = TopK(limit)
    for place, rank in enumerate(ranks):
        most.add((rank,), place)
    ordered = sorted(range(len(ranks)), key=lambda place: -ranks[place])
    assert most.most() == ordered[:limit]
    assert most.count == len(ranks)
    assert most.left_out == max(0, len(ranks) - limit)
