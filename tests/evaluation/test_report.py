from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from hemozoin.arrays import texts
from hemozoin.data.cells import SplitCells
from hemozoin.decision.conformal import ReviewBand, selective_metrics
from hemozoin.decision.threshold import OperatingPoint, Threshold
from hemozoin.evaluation.evaluation import Evaluation, LabelSet, evaluate_predictions
from hemozoin.evaluation.report import (
    Mistake,
    Report,
    count_splits,
    draw_plots,
    summary,
    write_report,
)
from hemozoin.metrics.classification import compute_metrics
from hemozoin.metrics.predictions import LabelledPredictions
from tests.conftest import encode_plot
from tests.support.tables import cells_of, without_patients

HOSTILE = "C1</code><script>alert(1)</script>&\"'"
RESULTS = {
    "epoch": np.array([1.0, 2]),
    "train_loss": np.array([0.5, 0.3]),
    "val_loss": np.array([0.6, np.nan]),
    "learning_rate": np.array([1e-3, 0]),
}
VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """Counts tags and collects links and ids; fails if the tags are not nested."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        for name, value in attrs:
            if name in ("src", "href", "xlink:href", "action", "data", "poster", "srcset"):
                self.links.append(value or "")
            elif name == "id":
                self.ids.append(value or "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def some_cells(patients: int = 24, seed: int = 0) -> tuple[SplitCells, np.ndarray]:
    """Return cells and their p; the last patient has only uninfected cells."""
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), 25)
    truth = (rng.random(len(patient)) < 0.5) & (patient < patients - 1)
    p = 1 / (1 + np.exp(-rng.normal(np.where(truth, 2.5, -2.5), 1.8)))
    labels = np.where(truth, "parasitized", "uninfected").tolist()
    rows = enumerate(zip(labels, patient, strict=True))
    cells = cells_of([(f"cell{row}", label, f"C{one}") for row, (label, one) in rows])
    split, row = texts(["test"] * len(p)), np.arange(len(p))
    return SplitCells(**cells.columns(), split=split, row=row), p


BAND = ReviewBand(0.3, 0.8, 0.03)
THRESHOLD = Threshold(
    0.4, OperatingPoint("sensitivity", 0.9), met=True, sensitivity=0.913, specificity=0.877
)


@pytest.fixture(scope="module")
def full() -> Report:
    """Return a report with every section, and HTML in every text."""
    cells, p = some_cells()
    corrected = texts(["uninfected"] * 20 + cells.label[20:].tolist())
    evaluation = evaluate_predictions(
        replace(cells, corrected=corrected), p, THRESHOLD, review_band=BAND
    )
    picture = np.full((40, 30, 3), 200, np.uint8)
    mistakes = (
        Mistake(HOSTILE, picture, "parasitized", 0.01, "uninfected"),
        Mistake("C2_cell_7", picture, "uninfected", 0.987),
    )
    return Report(
        HOSTILE,
        evaluation,
        mistakes,
        RESULTS,
        count_splits(cells),
        (HOSTILE,),
        {"Command": HOSTILE},
    )


def render(report: Report, folder: Path) -> str:
    drawn = draw_plots(report).items()
    plots = {name: encode_plot(figure, name, "svg", {"Date": None}) for name, figure in drawn}
    svg_files = {name: plot.decode() for name, plot in plots.items()}
    write_report(folder / "report.html", report, svg_files)
    assert [file.name for file in folder.iterdir()] == ["report.html"]
    return (folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(full: Report, tmp_path_factory: pytest.TempPathFactory) -> str:
    return render(full, tmp_path_factory.mktemp("report"))


@pytest.mark.slow
def test_the_page_is_complete_and_loads_nothing(page: str) -> None:
    found = Page(page)
    assert page.startswith("<!doctype html>")
    assert len(found.links) > 2
    assert all(link.startswith(("data:", "#")) for link in found.links)
    assert not re.search(r"@import|url\((?!['\"]?#)", page)
    assert [name for name, times in Counter(found.ids).items() if times > 1 and name] == []
    assert (found.tags["svg"], found.tags["img"]) == (6, 2)
    assert 'name="viewport"' in page
    assert len(page) < 3_000_000
    # Every colour of a plot became a variable; dark mode would hide a fixed one.
    assert not re.search(r"(?:fill|stroke): #", page)


@pytest.mark.slow
def test_names_are_escaped(page: str) -> None:
    assert Page(page).tags["script"] == 0
    assert page.count("&lt;script&gt;alert(1)") == 5  # title twice, warning, mistake, command


def test_the_page_has_the_metrics(full: Report, page: str) -> None:
    metrics = full.evaluation.intervals.metrics
    for name in ("accuracy", "sensitivity", "ppv", "mcc", "brier"):
        estimate = metrics[name]
        shown = f'{estimate.value:.3f}<span class="interval">{estimate.low:.3f}–{estimate.high:.3f}'
        assert shown in page
    for sentence in (
        "Research use only. Not a medical device.",
        "Tested on 600 cells of 24 patients.",
        "1,000 resamples of 24 patients",
        "sensitivity at least 0.9",
        "corrected labels",
        "where both agree",
        "<b>p 0.987</b>",
        "C2_cell_7",
        "corrected: uninfected",
        "For 1 of these 2 cells",
    ):
        assert sentence in page
    assert "0.913" in page
    # The patient without parasitized cells has no sensitivity, and no AUC.
    last = re.search(r"<tr><td>C23</td>.*?</tr>", page)
    assert last
    assert last[0].count("<td>-</td>") == 2
    assert "No patient" not in page
    assert not re.search(r"\bnan\b", page, re.IGNORECASE)


def test_the_page_has_the_cells_for_review(full: Report, page: str) -> None:
    row = re.search(r"<tr><td>For review.*?</tr>", page, re.DOTALL)
    assert row
    shares = [
        selective_metrics(labels.predictions, BAND).review for labels in full.evaluation.label_sets
    ]
    assert 0.05 < shares[0] < 0.5
    assert re.findall(r"<td>([\d.]+)</td>", row[0]) == [f"{share:.3f}" for share in shares]
    assert "from <b>0.300</b> to\n<b>0.800</b>" in page
    assert f"For review: p 0.300–0.800, {shares[0]:.1%} of the cells" in summary(full)
    read = json.loads(json.dumps(full.evaluation.to_dict(), allow_nan=False))
    assert read["band"] == BAND.to_dict()
    assert read["corrected_labels"]["decided"]["review"] == shares[1]


@pytest.mark.slow
def test_evaluation_alone_has_no_curves_and_no_gallery(tmp_path: Path) -> None:
    cells, p = some_cells()
    page = render(Report("t", evaluate_predictions(cells, p, THRESHOLD)), tmp_path)
    assert Page(page).tags["svg"] == 4
    absent = (
        "Learning",
        "Most confident mistakes",
        "Data and set-up",
        "corrected labels",
        "Cells for review",
    )
    for heading in absent:
        assert heading not in page


@pytest.mark.slow
def test_warning_without_patients(tmp_path: Path) -> None:
    cells, p = some_cells()
    report = Report("t", evaluate_predictions(without_patients(cells), p, THRESHOLD))
    page = render(report, tmp_path)
    for text in (page, summary(report)):
        assert "No patient is known" in text
        assert "resamples of 600 cells" in text
    assert "By patient" not in page
    few = Report("t", evaluate_predictions(*some_cells(patients=5), THRESHOLD))
    assert "Only 5 patients were tested, 4 of them with parasitized cells" in summary(few)
    more = Report("t", evaluate_predictions(*some_cells(patients=15), THRESHOLD))
    assert "Only 15 patients were tested: intervals are too narrow" in summary(more)


@pytest.mark.parametrize(
    ("cells", "decimals"), [(4, 1), (9, 1), (28, 2), (100, 3), (999, 3), (4400, 4), (27558, 4)]
)
def test_decimals_follow_the_number_of_cells(cells: int, decimals: int) -> None:
    truth = np.arange(cells) % 4 == 0
    predictions = LabelledPredictions(truth, np.full(cells, 0.5))
    labels = LabelSet("labels as given", predictions, intervals=None)  # type: ignore[arg-type]
    assert labels.decimals("accuracy") == decimals
    assert labels.decimals("sensitivity") == min(4, len(str(truth.sum())))
    assert labels.decimals("specificity") == min(4, len(str((~truth).sum())))


def test_an_open_review_band_is_told() -> None:
    cells, p = some_cells()
    opened = evaluate_predictions(cells, p, THRESHOLD, review_band=ReviewBand(0.0, 0.8, 0.04))
    assert "The review band is open" in summary(Report("t", opened))
    closed = evaluate_predictions(cells, p, THRESHOLD, review_band=BAND)
    assert "The review band is open" not in summary(Report("t", closed))


@pytest.mark.slow
def test_the_report_says_that_no_threshold_reaches_the_operating_point(tmp_path: Path) -> None:
    cells, p = some_cells()
    missed = Threshold(
        0.4, OperatingPoint("sensitivity", 0.99), met=False, sensitivity=0.5, specificity=0.6
    )
    report = Report("t", evaluate_predictions(cells, p, missed))
    assert "No threshold reached the operating point" in render(report, tmp_path)
    assert "not reached on validation" in summary(report)


@pytest.mark.slow
def test_one_class_alone_makes_a_page(tmp_path: Path) -> None:
    cells, p = some_cells()
    healthy = cells.label == "uninfected"
    page = render(
        Report("t", evaluate_predictions(cells.select(healthy), p[healthy], THRESHOLD)), tmp_path
    )
    assert re.search(r'ROC AUC</dt><dd>-<span class="interval">-', page)
    banded = evaluate_predictions(
        cells.select(healthy), p[healthy], THRESHOLD, review_band=BAND
    ).to_dict()
    assert banded["labels_as_given"]["decided"]["missed"] is None


def test_summary(full: Report) -> None:
    text = summary(full)
    accuracy = full.evaluation.label_sets[1].intervals.metrics["accuracy"]
    assert f"{accuracy.value:.3f}  {accuracy.low:.3f}–{accuracy.high:.3f}" in text  # 600 cells
    assert "sensitivity 0.913 on validation" in text
    assert text.endswith("Research use only. Not a medical device.")


@pytest.fixture(scope="module")
def relabelled() -> tuple[Evaluation, np.ndarray]:
    """Return an evaluation in which cell 0 is uncertain and cell 1 is relabelled."""
    cells, p = some_cells()
    others = cells.label[2:].tolist()
    cells = replace(
        cells,
        label=texts(["parasitized", "uninfected", *others]),
        corrected=texts([None, "parasitized", *others]),
    )
    return evaluate_predictions(cells, p, THRESHOLD), p


def test_label_sets(relabelled: tuple[Evaluation, np.ndarray]) -> None:
    evaluation, p = relabelled
    given, corrected, agreed = (labels.predictions for labels in evaluation.label_sets)
    assert (len(given), len(corrected), len(agreed)) == (600, 599, 598)
    assert not given.truth[1]
    assert corrected.truth[0]
    assert np.array_equal(corrected.truth[1:], agreed.truth)
    assert np.array_equal(agreed.p, p[2:])
    assert np.array_equal(agreed.truth, given.truth[2:])


def test_worst_mistakes(relabelled: tuple[Evaluation, np.ndarray]) -> None:
    evaluation, p = relabelled
    truth = evaluation.predictions.truth
    rows = evaluation.worst_mistakes(5)
    missed, alarms = rows[truth[rows]], rows[~truth[rows]]
    assert rows.tolist() == [*missed, *alarms]
    assert p[missed].tolist() == sorted(p[truth & (p < 0.4)])[:5]
    assert p[alarms].tolist() == sorted(p[~truth & (p >= 0.4)], reverse=True)[:5]


def test_confusion_and_dict(relabelled: tuple[Evaluation, np.ndarray]) -> None:
    evaluation, _ = relabelled
    tp, fn, fp, tn = evaluation.confusion_counts()
    assert (tp + fn, tp + fn + fp + tn) == (evaluation.predictions.truth.sum(), 600)
    read = json.loads(json.dumps(evaluation.to_dict(), allow_nan=False))
    assert read["labels_as_given"]["accuracy"]["value"] == (tp + tn) / 600
    assert read["labels_as_given"]["calibration_error"]["low"] is None
    assert read["corrected_labels"]["cells"] == 599
    assert read["where_both_agree"]["patients"] == 24
    assert read["threshold"]["aim"] == "sensitivity at least 0.9"


def test_flipped_labels_are_noticed() -> None:
    cells, p = some_cells()
    other = {"parasitized": "uninfected", "uninfected": "parasitized"}
    flipped = replace(cells, label=texts(other[label] for label in cells.label))
    assert evaluate_predictions(cells, p, THRESHOLD).intervals.metrics["roc_auc"].low > 0.9
    assert evaluate_predictions(flipped, p, THRESHOLD).intervals.metrics["roc_auc"].high < 0.1


def test_counts_by_split() -> None:
    cells, p = some_cells()
    (counted,) = count_splits(cells)
    assert (counted.split, counted.cells, counted.patients) == ("test", 600, 24)
    predictions = LabelledPredictions.from_cells(cells, p)
    assert counted.parasitized == predictions.truth.sum()
    assert counted.uninfected == 600 - predictions.truth.sum()
    assert compute_metrics(predictions, 0.4)["accuracy"] > 0.8
    assert [one.patients for one in count_splits(without_patients(cells))] == [0]
