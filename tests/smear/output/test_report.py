"""The report on a slide: one page, safe with any name, of limited size for any number of fields."""

from __future__ import annotations

import re
import weakref
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemozoin.decision.counting_point import CountingPoint
from hemozoin.decision.patient_rate import PatientRate
from hemozoin.smear.counting.blood import Blood
from hemozoin.smear.counting.slide import Slide
from hemozoin.smear.counting.tally import Tally
from hemozoin.smear.field import Cell, Field, Flaw
from hemozoin.smear.output import report
from hemozoin.smear.output.crops import read_crop, write_crops
from hemozoin.smear.output.report import (
    FAILED,
    INFECTED,
    OVERLAYS,
    REVIEWED,
    ROWS,
    ReportSelection,
    render_report,
)
from hemozoin.smear.output.top_k import TopK

KNOWN = CountingPoint(None, PatientRate(rate=0.02, sd=0.0115, patients=40, cells=8000))
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


@dataclass(frozen=True)
class Shown:
    """A field with its pictures, as the report gets it."""

    field: Field
    overlay: Path | None
    crops: Path


Show = Callable[..., Shown]


@pytest.fixture
def show(tmp_path: Path) -> Show:
    """Return a function that writes the crops of a field, "FIELD CELL" instead of JPEGs."""
    (tmp_path / "crops").mkdir()

    def shown(field: Field, overlay: Path | None = None) -> Shown:
        crops = {
            cell.cell: f"{field.field} {cell.cell}".encode()
            for cell in field.cells
            if cell.decision != "uninfected"
        }
        path = tmp_path / "crops" / f"{len(list((tmp_path / 'crops').iterdir()))}.zip"
        write_crops(crops, path)
        return Shown(field, overlay, path)

    return shown


def counted(shown: list[Shown], rate: CountingPoint | None = KNOWN, name: str = "slide 1") -> Slide:
    tally = Tally(name, rate)
    for one in shown:
        tally.add(one.field)
    return tally.slide(USUAL)


def selected(*shown: Shown) -> ReportSelection:
    selection = ReportSelection()
    for one in shown:
        selection.add(one.field, one.overlay, one.crops)
    return selection


def page(*shown: Shown, rate: CountingPoint | None = KNOWN, name: str = "slide 1") -> str:
    return render_report(counted(list(shown), rate, name), selected(*shown), {"Network": "nano"})


class Seen(HTMLParser):
    """What a browser would show: text, pictures, links and tags."""

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


def test_the_page_needs_nothing_but_itself(show: Show) -> None:
    html = page(show(some_field("a.png", (0.9,), (0.5,))))
    assert Seen(html).tags.count("script") == 0
    assert not re.search(r"https?://|@import|url\(", html)
    assert 'content="width=device-width' in html
    assert "prefers-color-scheme: dark" in html


@pytest.mark.parametrize(
    ("infected", "rate", "expected"),
    [
        (40, KNOWN, "Reportable 20"),
        (1, KNOWN, "Below the reportable limit"),
        (40, None, "Not compensated"),
    ],
)
def test_the_verdict_is_first(
    infected: int, rate: CountingPoint | None, expected: str, show: Show
) -> None:
    fields = [show(some_field(f"{k}.png", (0.9,) * infected, (), 145)) for k in range(5)]
    text = Seen(page(*fields, rate=rate)).text
    assert expected in text[:150]
    assert "Research use only. Not a medical device." in text[:1000]
    assert "Do not base a diagnosis on this count." in text[:1000]
    assert ("not a negative result" in text) == (expected.startswith("Below"))
    assert ("there is no verdict" in text) == (rate is None)


def test_a_slide_that_fails_gives_no_number(show: Show) -> None:
    flawed = [show(some_field(f"{k}.png", (), (), 50, (BLURRED,))) for k in range(3)]
    text = Seen(page(*flawed, show(some_field("good.png", (0.9,) * 9)))).text
    assert "Not reported 3 of 4 fields can't be relied on This is not a negative result" in text
    assert "parasites/µL (" not in text
    assert "0.png: out of focus: sharpness 0.123, limit 0.3" in text


def test_the_calculation_is_shown(show: Show) -> None:
    text = Seen(page(show(some_field("a.png", (0.9,) * 10, (0.5,) * 4, 186)))).text
    for line in (
        "Called infected 10 of 200 = 5 %",
        "Expected false positives 2 % of the 193.9 uninfected cells = 3.9",
        "10 - 3.9 = 6.1",
        "6.1 / 200 = 3.1 %",
        "the mean of 40 patients",
        "If all 4 were infected, the parasitaemia would be 5.1 %",
    ):
        assert line in text


def test_names_are_names_and_never_markup(tmp_path: Path, show: Show) -> None:
    overlay = tmp_path / "overlays" / "a b#?%&'.jpg"
    overlay.parent.mkdir()
    overlay.write_bytes(b"jpeg")
    error = Field("b" + NASTY, error=f"b{NASTY}: not a picture")
    shown = (show(some_field(NASTY, (0.9,)), overlay), Shown(error, None, tmp_path / "none.zip"))
    found = Seen(page(*shown, name=NASTY))
    assert "script" not in found.tags
    assert f"{NASTY}: 51 red cells" in found.text
    assert f"b{NASTY}: not a picture" in found.text
    assert set(found.links) == {"print.html", "overlays/a%20b%23%3F%25%26%27.jpg"}


@pytest.mark.slow
def test_cells_are_sorted_and_the_number_left_out_is_shown(show: Show) -> None:
    p = tuple((k % 997) / 1000 for k in range(INFECTED + 57))
    review = tuple((k % 89) / 100 for k in range(REVIEWED + 3))
    html = page(show(some_field("a.png", p, review, 500)))
    found = Seen(html)
    assert f"The {INFECTED} with the highest p are shown, 57 are left out" in found.text
    assert f"The {REVIEWED} with the highest p are shown, 3 are left out" in found.text
    shown = [float(one) for one in re.findall(r"<span>p ([\d.]+)</span>", html)]
    infected, to_review = shown[:INFECTED], shown[INFECTED:]
    assert infected == sorted(infected, reverse=True)
    assert to_review == sorted(to_review, reverse=True)
    assert (len(infected), len(to_review)) == (INFECTED, REVIEWED)
    assert min(infected) >= sorted(p, reverse=True)[INFECTED - 1] - 0.005


def test_each_cell_has_its_own_picture_field_and_number(show: Show) -> None:
    fields = (some_field("a.png", (0.6, 0.8)), some_field("b.png", (0.7,), (0.4,)))
    html = page(*map(show, fields))
    assert Seen(html).pictures == [b"a.png 2", b"b.png 1", b"a.png 1", b"b.png 2"]
    tiles = re.findall(r'alt="cell (\d+) of (\S+)"', html)
    assert tiles == [("2", "a.png"), ("1", "b.png"), ("1", "a.png"), ("2", "b.png")]


def test_cells_of_fields_that_are_not_counted_are_not_shown(show: Show) -> None:
    good, bad = some_field("a.png", (0.6,)), some_field("b.png", (0.99,), (0.5,), 50, (BLURRED,))
    found = Seen(page(show(good), show(good), show(bad)))
    assert set(found.pictures) == {b"a.png 1"}


def test_a_cell_without_a_picture_is_shown_without_it(tmp_path: Path) -> None:
    """Here its zip is missing, is not a zip, does not have the cell, or is damaged inside."""
    path, field = tmp_path / "crops.zip", some_field("a.png", (0.9,))
    write_crops({1: b"JPEG"}, path)
    whole = path.read_bytes()
    write_crops({2: b"JPEG"}, path)
    for content in (None, b"no zip", path.read_bytes(), whole.replace(b"JPEG", b"GEPJ")):
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)
        found = Seen(page(Shown(field, None, path)))
        assert "no picture" in found.text
        assert found.pictures == []


def test_only_the_pictures_of_cells_that_are_shown_are_read(
    show: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[tuple[str, int]] = []

    def recorded(path: Path, cell: int) -> bytes | None:
        read.append((path.name, cell))
        return read_crop(path, cell)

    monkeypatch.setattr(report, "read_crop", recorded)
    fields = [
        show(some_field(f"{k}.png", (0.5 + k / 100, 0.2), (0.4,) * 10, 30)) for k in range(30)
    ]
    fields += [show(some_field(f"flawed {k}.png", (0.9,), (), 9, (BLURRED,))) for k in range(9)]
    selection = selected(*fields * 6)
    assert not read
    html = render_report(counted(fields), selection, {})
    assert len(read) == len(Seen(html).pictures) == INFECTED + REVIEWED


def test_overlays_with_most_infected_cells_are_embedded_and_the_others_linked(
    tmp_path: Path, show: Show
) -> None:
    shown = []
    for k in range(OVERLAYS + 5):
        path = tmp_path / f"{k}.jpg"
        path.write_bytes(f"overlay {k}".encode())
        shown.append(show(some_field(f"{k}.png", (0.9,) * k), path))
    found = Seen(page(*shown))
    embedded = [one.decode() for one in found.pictures if one.startswith(b"overlay")]
    assert embedded == [f"overlay {k}" for k in range(OVERLAYS + 4, 4, -1)]
    assert {f"{tmp_path.name}/{k}.jpg" for k in range(OVERLAYS + 5)} <= set(found.links)
    assert f"The {OVERLAYS} with most infected cells" in found.text


def test_an_overlay_that_is_gone_is_left_out(tmp_path: Path, show: Show) -> None:
    found = Seen(page(show(some_field("a.png"), tmp_path / "gone.jpg")))
    assert found.pictures == []


def test_a_slide_of_thousands_of_fields_is_bounded(show: Show) -> None:
    """No more than a few fields are alive at a time, and the page has a limited size."""
    gone: list[int] = []
    alive = 0
    selection = ReportSelection()
    crops = show(some_field("a.png", (0.9,), (0.3,))).crops
    for k in range(3000):
        flaws = (BLURRED,) if k % 3 == 0 else ()
        field = some_field(f"{k}.png", (0.5 + k / 6000,), (0.3,), 3, flaws)
        weakref.finalize(field, gone.append, k)
        alive = max(alive, k + 1 - len(gone))
        selection.add(field, None, crops)
    html = render_report(counted([show(some_field("a.png", (0.9,), (), 9))]), selection, {})
    assert alive <= 3
    assert len(html) < 1_000_000
    found = Seen(html)
    assert len(found.pictures) == INFECTED + REVIEWED
    assert f"and {3000 - ROWS:,} more in fields.csv" in found.text
    assert html.count("out of focus: sharpness") <= ROWS + FAILED


def test_the_settings_are_shown(show: Show) -> None:
    shown = show(some_field("a.png"))
    about = {"Network": "nano", "SHA-256 of the model": "abc123"}
    text = Seen(render_report(counted([shown]), selected(shown), about)).text
    assert "Network nano" in text
    assert "SHA-256 of the model abc123" in text
    assert "Red cells per µL 5,000,000, assumed" in text


@given(st.lists(st.integers(-5, 5)), st.integers(1, 6))
def test_top_k_holds_what_sorting_would_give(ranks: list[int], limit: int) -> None:
    top: TopK[int] = TopK(limit)
    for place, rank in enumerate(ranks):
        top.add((rank,), place)
    ordered = sorted(range(len(ranks)), key=lambda place: -ranks[place])
    assert top.highest() == ordered[:limit]
    assert top.count == len(ranks)
    assert top.left_out == max(0, len(ranks) - limit)
