"""reviews.csv: only ever added to, and never lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hemozoin.errors import DataError
from hemozoin.review.reviews import REVIEW_COLUMNS, REVIEWS, Review, append_reviews, read_reviews

REVIEW = Review("ann", "a.png", 10, 20, 41, 40, "parasitized", '=ring, "two"\nthin', 0.75, 0.5)


def test_reviews_are_read_as_they_were_written(tmp_path: Path) -> None:
    append_reviews(tmp_path, [REVIEW])
    append_reviews(tmp_path, [Review("bo", "b.png", 1.5, 2, 3, 4, "", time="2026-01-02T03:04:05Z")])
    first, second = read_reviews(tmp_path)
    assert (first.answer, first.note, first.probability) == (
        "parasitized",
        '=ring, "two" thin',
        0.5,
    )
    assert first.time.endswith("Z")
    assert first.middle == (30.5, 40)
    assert second == Review("bo", "b.png", 1.5, 2, 3, 4, "", time="2026-01-02T03:04:05Z")
    text = (tmp_path / REVIEWS).read_text(encoding="utf-8")
    assert text.startswith(",".join(REVIEW_COLUMNS) + "\n")
    assert ",a.png,30.5,40,10,20,41,40,parasitized," in text


def test_no_reviews(tmp_path: Path) -> None:
    assert read_reviews(tmp_path) == []
    append_reviews(tmp_path, [])
    assert not (tmp_path / REVIEWS).exists()


@pytest.mark.parametrize("cut", [1, 30, 90])
def test_a_last_row_that_was_cut_short_counts_as_not_written(cut: int, tmp_path: Path) -> None:
    append_reviews(tmp_path, [REVIEW])
    whole = (tmp_path / REVIEWS).read_bytes()
    append_reviews(tmp_path, [REVIEW])
    path = tmp_path / REVIEWS
    path.write_bytes(path.read_bytes()[:-cut])
    assert len(read_reviews(tmp_path)) == 1
    append_reviews(tmp_path, [REVIEW])
    assert len(read_reviews(tmp_path)) == 2
    assert path.read_bytes().startswith(whole)


def test_a_header_that_was_cut_short_is_written_again(tmp_path: Path) -> None:
    (tmp_path / REVIEWS).write_text("time,rea")
    assert read_reviews(tmp_path) == []
    append_reviews(tmp_path, [REVIEW])
    assert len(read_reviews(tmp_path)) == 1


def test_a_full_disk_loses_no_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append_reviews(tmp_path, [REVIEW])
    before = (tmp_path / REVIEWS).read_bytes()

    def full(_: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as caught:
        append_reviews(tmp_path, [REVIEW] * 100)
    assert caught.value.filename == str(tmp_path / REVIEWS)
    assert (tmp_path / REVIEWS).read_bytes() == before


@pytest.mark.parametrize("content", ["time;reader\nx;y\n", "a,b\n1,2\n"])
def test_another_form_is_refused_and_kept(content: str, tmp_path: Path) -> None:
    path = tmp_path / REVIEWS
    path.write_text(content)
    with pytest.raises(DataError, match=r"reviews\.csv: does not begin with time,.* saved by"):
        append_reviews(tmp_path, [REVIEW])
    with pytest.raises(DataError, match=r"reviews\.csv: not as hemozoin wrote it"):
        read_reviews(tmp_path)
    assert path.read_text() == content


@pytest.mark.parametrize(("old", "new"), [("parasitized,", "maybe,"), (",10,20,", ",ten,20,")])
def test_a_changed_row_is_refused(old: str, new: str, tmp_path: Path) -> None:
    append_reviews(tmp_path, [REVIEW])
    path = tmp_path / REVIEWS
    changed = path.read_text().replace(",75", ",75").split("\n", 1)
    path.write_text(changed[0] + "\n" + changed[1].replace(old, new))
    with pytest.raises(DataError, match="not as hemozoin wrote it"):
        read_reviews(tmp_path)


@pytest.mark.slow
def test_processes_that_append_at_once_lose_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path;"
        "from hemozoin.review.reviews import Review, append_reviews;"
        "[append_reviews(Path(sys.argv[1]), [Review(sys.argv[2], 'a', i, 0, 9, 9, 'uninfected')])"
        " for i in range(50)]"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path), name]) for name in "abc"
    ]
    assert [process.wait(120) for process in processes] == [0, 0, 0]
    reviews = read_reviews(tmp_path)
    for name in "abc":
        assert [one.x for one in reviews if one.reader == name] == [*range(50)]
