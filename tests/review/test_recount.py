"""From a screened slide over a worklist to the files with a person's answers, and to training."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hemozoin.errors import DataError
from hemozoin.review.found_cells import FoundCells, read_found_cells
from hemozoin.review.recount import count_so_far, recount_slide, with_reviews
from hemozoin.review.reviews import REVIEWS, Answer, Review, append_reviews, read_reviews
from hemozoin.review.training_cells import write_training_cells
from hemozoin.review.worklist import WorklistRow, draw_worklist
from hemozoin.review.worklist_csv import write_worklist
from hemozoin.smear.counting.totals import with_current_reviews
from hemozoin.smear.execution.run import ScreenConfig, screen_slides
from hemozoin.smear.output.folder import SlideFolder
from hemozoin.smear.slides import MARK
from tests.support.commands import tree
from tests.support.reviews import review_of
from tests.support.smears import make_fields

NAMES = ("1.png", "2.png", "3.png")


@pytest.fixture(scope="module")
def screened(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a slide that was screened; its pictures are beside it."""
    folder = tmp_path_factory.mktemp("screened")
    make_fields(folder / "smear", *NAMES)
    (folder / "smear" / "slide.toml").write_text('patient = "P-7"\n')
    screen_slides([folder / "smear"], folder / "out", ScreenConfig(coco=True))
    return folder / "out"


@pytest.fixture
def out(screened: Path, tmp_path: Path) -> Path:
    """Return a copy of the slide's folder."""
    return Path(shutil.copytree(screened, tmp_path / "out"))


def answer(row: WorklistRow) -> WorklistRow:
    """Return a row of a worklist, answered as the network would."""
    infected = row.p_parasitized > 0.5
    return replace(row, answer="parasitized" if infected else "uninfected", reader="ann")


def filled(out: Path, path: Path, cells: int = 12) -> Path:
    """Return a worklist of a slide with answers."""
    found = read_found_cells(out)
    write_worklist([answer(row) for row in draw_worklist(found, cells)], path)
    return path


def rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)


def review(cells: FoundCells, index: int, reader: str, answer: Answer) -> Review:
    x, y, width, height = cells.boxes[index].tolist()
    return Review(reader, cells.fields[index], x, y, width, height, answer)


def review_all(out: Path, cells: FoundCells, decisions: set[str]) -> None:
    """Answer every cell with one of these decisions as the network would."""
    append_reviews(
        out,
        [
            review(cells, i, "bo", "parasitized" if cells.p_parasitized[i] > 0.5 else "uninfected")
            for i, decision in enumerate(cells.decisions)
            if decision in decisions
        ],
    )


def test_clumps_come_after_the_cells(out: Path) -> None:
    found, clumps = read_found_cells(out), [*rows(out / "clumps.csv")]
    assert clumps
    assert found.is_clump.tolist() == [False] * (len(found) - len(clumps)) + [True] * len(clumps)
    for index in np.flatnonzero(found.is_clump):
        field = SlideFolder(out).load_saved(found.fields[index])
        assert field
        clump = dict(field.clumps())[found.numbers[index]]
        assert found.boxes[index].tolist() == [clump.x, clump.y, clump.width, clump.height]
        assert found.red_cells[index] == pytest.approx(field.red_cells_in(clump), abs=0.01)
    (out / "clumps.csv").unlink()  # as an earlier version left it
    assert len(read_found_cells(out)) == len(found) - len(clumps)


def test_all_files_have_the_answers(out: Path, tmp_path: Path) -> None:
    slide = recount_slide(out, [filled(out, tmp_path / "worklist.csv")])
    found = json.loads((out / "slide.json").read_text())
    assert slide.reviewed
    assert found["reviews"]["answered"] == 12
    assert found["parasitaemia"] == slide.reviewed.parasitaemia.value
    assert found["machine_parasitaemia"] is None  # the drawn smear is unlike NLM's slides
    assert "known patients" in found["why"]
    looked_at = [*rows(out / "cells.csv"), *rows(out / "clumps.csv")]
    assert sum(row["answer"] != "" for row in looked_at) == 12
    assert "a person: " in (out / "report.html").read_text(encoding="utf-8")
    assert len(read_reviews(out)) == 12
    assert (out / "cells.coco.json").exists()


def test_the_same_worklist_again_adds_nothing(out: Path, tmp_path: Path) -> None:
    worklist = filled(out, tmp_path / "worklist.csv")
    recount_slide(out, [worklist])
    before = tree(out)
    recount_slide(out, [worklist])
    recount_slide(out)
    assert tree(out) == before


def test_neither_pictures_nor_network_are_needed(out: Path, tmp_path: Path) -> None:
    """Without reviews, the files that are written again are those of the screening."""
    worklist, before = filled(out, tmp_path / "worklist.csv"), tree(out)
    recount_slide(out, [worklist])
    (out / REVIEWS).unlink()
    found = read_found_cells(out)
    append_reviews(out, [review(found, 0, "ann", "")])
    recount_slide(out)
    (out / REVIEWS).unlink()
    assert tree(out) == before


def test_every_called_and_close_cell_confirmed(out: Path) -> None:
    cells = read_found_cells(out)
    review_all(out, cells, {"parasitized", "review"})
    slide = recount_slide(out)
    assert slide.verdict == "confirmed by a person"
    assert slide.limit_of_detection == pytest.approx(3 / len(cells), rel=0.35)
    assert slide.estimate and slide.estimate.high > slide.estimate.value


def test_the_current_count_is_that_of_a_recount(out: Path) -> None:
    """The drawn smear is unlike the known slides; so the reviews decide about the verdict."""
    cells, verdicts = read_found_cells(out), []
    for decisions in ({"parasitized"}, {"review"}, {"uninfected"}):
        before = json.loads((out / "slide.json").read_text())
        review_all(out, cells, decisions)
        now = with_current_reviews(before, count_so_far(out, cells))
        recount_slide(out)
        assert json.loads(json.dumps(now)) == json.loads((out / "slide.json").read_text())
        verdicts.append(now["verdict"])
    assert verdicts[-1] == "confirmed by a person"


def test_a_review_where_no_cell_was_found(out: Path, tmp_path: Path) -> None:
    append_reviews(out, [Review("bo", "1.png", 0, 0, 9, 9, "parasitized")])
    slide = recount_slide(out, [filled(out, tmp_path / "worklist.csv")])
    assert slide.reviewed
    assert (slide.reviewed.answered, slide.reviewed.elsewhere) == (12, 0)
    assert (slide.reviewed.missed, slide.reviewed.missed_parasitized) == (1, 1)
    report = (out / "report.html").read_text(encoding="utf-8")
    assert "1 cell that no red cell was found for, drawn by a person, 1 of them" in report


def test_readers_without_a_majority_are_named(out: Path) -> None:
    found = read_found_cells(out)
    append_reviews(out, [review_of(found, 0, "parasitized", "ann")])
    append_reviews(out, [review_of(found, 0, "uninfected", "bo")])
    append_reviews(out, [review_of(found, 1, "uninfected", "bo")])
    slide = recount_slide(out)
    assert slide.reviewed
    named = f"{found.fields[0]}, cell {found.numbers[0]} (ann: parasitized, bo: uninfected)"
    assert [str(one) for one in slide.reviewed.undecided] == [named]
    assert named in (out / "report.html").read_text(encoding="utf-8")
    (written,) = json.loads((out / "slide.json").read_text())["reviews"]["undecided"]
    assert written["answers"] == {"ann": "parasitized", "bo": "uninfected"}


def test_a_new_screening_keeps_the_reviews_and_counts_with_them(
    screened: Path, tmp_path: Path
) -> None:
    pictures = shutil.copytree(screened.parent / "smear", tmp_path / "smear")
    out = tmp_path / "out"
    screen_slides([pictures], out)
    recount_slide(out, [filled(out, tmp_path / "worklist.csv")])
    before = (out / REVIEWS).read_bytes()
    (slide,) = with_reviews(screen_slides([pictures], out, overwrite=True), out)
    assert (out / REVIEWS).read_bytes() == before
    assert slide.reviewed and slide.reviewed.answered == 12
    assert json.loads((out / "slide.json").read_text())["reviews"]["answered"] == 12


@pytest.mark.slow
def test_one_of_several_slides(tmp_path: Path) -> None:
    for name in ("a", "b"):
        make_fields(tmp_path / "slides" / name, "1.png")
    out = tmp_path / "out"
    screen_slides([tmp_path / "slides"], out)
    before = [*rows(out / "slides.csv")]
    slide = recount_slide(out / "b", [filled(out / "b", tmp_path / "worklist.csv", 5)])
    after = [*rows(out / "slides.csv")]
    assert slide.reviewed
    assert after[0] == before[0]
    assert float(after[1]["parasitaemia"]) == slide.reviewed.parasitaemia.value
    with pytest.raises(DataError, match="has several slides; give the folder of one"):
        recount_slide(out)
    counts = write_training_cells(out, tmp_path / "cells")
    assert sum(counts.values()) == 5
    assert {row["patient"] for row in rows(tmp_path / "cells" / "patients.csv")} == {"b"}


# ---- bad input ---------------------------------------------------------------------------------


def test_nothing_is_written_if_one_worklist_is_bad(out: Path, tmp_path: Path) -> None:
    good, bad = filled(out, tmp_path / "good.csv"), tmp_path / "bad.csv"
    bad.write_text(good.read_text().replace("uninfected,ann", "healthy,ann"))
    before = tree(out)
    with pytest.raises(DataError, match=r"bad.csv, line \d+: answer 'healthy' is unknown"):
        recount_slide(out, [good, bad])
    assert tree(out) == before


def test_no_reviews_at_all(out: Path) -> None:
    with pytest.raises(DataError, match="no reviews yet; fill in a worklist of hemozoin audit"):
        recount_slide(out)


def test_folders_that_are_no_slides(out: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere: not a folder"):
        recount_slide(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="not a slide's folder as hemozoin screen writes it"):
        recount_slide(tmp_path / "empty")
    (out / "slide.json").unlink()
    assert (out / MARK).exists()
    with pytest.raises(DataError, match="not finished; run the same hemozoin screen again"):
        recount_slide(out)


@pytest.mark.parametrize(
    "name", ["slide.json", "cells.csv", "clumps.csv", "fields.csv", ".fields/2.png.json"]
)
def test_a_damaged_folder(name: str, out: Path, tmp_path: Path) -> None:
    worklist = filled(out, tmp_path / "worklist.csv")
    (out / name).write_text("[]")
    before = tree(out)
    with pytest.raises(DataError, match="screen"):
        recount_slide(out, [worklist])
    assert tree(out) == before
    append_reviews(out, [Review("bo", "1.png", 0, 0, 9, 9, "parasitized")])
    with pytest.raises(DataError, match="screen"):
        write_training_cells(out, tmp_path / "cells")


# ---- training ----------------------------------------------------------------------------------


def test_reviewed_cells_are_cut_out_for_training(out: Path, tmp_path: Path) -> None:
    recount_slide(out, [filled(out, tmp_path / "worklist.csv")])
    counts = write_training_cells(out, tmp_path / "cells")
    written = [*(tmp_path / "cells").rglob("*.png")]
    single = [row for row in rows(out / "cells.csv") if row["answer"]]
    assert sum(counts.values()) == len(written) == len(single) == 11  # one of twelve is a clump
    table = [*rows(tmp_path / "cells" / "patients.csv")]
    assert {row["patient"] for row in table} == {"P-7"}
    assert {row["cell"] for row in table} == {path.name for path in written}
    assert {path.parent.name for path in written} <= {"Parasitized", "Uninfected"}
    pixels = np.asarray(Image.open(written[0]))
    assert (pixels[0, 0] == 0).all()
    assert pixels.max() > 100


def test_pictures_that_are_gone(screened: Path, out: Path, tmp_path: Path) -> None:
    recount_slide(out, [filled(out, tmp_path / "worklist.csv")])
    for state in (out / ".fields").glob("*.json"):
        state.write_text(state.read_text().replace(str(screened.parent / "smear"), "/nowhere"))
    with pytest.raises(DataError, match="/nowhere"):
        write_training_cells(out, tmp_path / "cells")
    assert not (tmp_path / "cells" / "patients.csv").exists()


def test_no_cells_to_write(out: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no reviews; see hemozoin audit"):
        write_training_cells(out, tmp_path / "cells")
    found = read_found_cells(out)
    append_reviews(out, [review(found, 0, "ann", "can't tell")])
    with pytest.raises(DataError, match="no cell was reviewed as parasitized or uninfected"):
        write_training_cells(out, tmp_path / "cells")
    assert not (tmp_path / "cells").exists()
