"""The plots: no inset over a curve, and files that are the same for the same plot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from hemozoin.evaluation.plots import precision_recall_plot, roc_plot
from hemozoin.metrics.bootstrap import ConfidenceBand, curves
from hemozoin.metrics.predictions import LabelledPredictions
from hemozoin.reports.plot_files import plot_file_names, write_plots


def curves_of(distance: float, infected: float = 0.5) -> tuple[ConfidenceBand, ConfidenceBand]:
    """Return ROC and precision-recall curve of two normal distributions at this distance."""
    rng = np.random.default_rng(0)
    truth = rng.random(4000) < infected
    p = 1 / (1 + np.exp(-rng.normal(np.where(truth, distance, 0))))
    return curves(LabelledPredictions(truth, p))


def insets(figure: Figure) -> int:
    return len(figure.axes[0].child_axes)


@pytest.mark.parametrize(("distance", "expected"), [(0.36, 0), (1.35, 0), (2.3, 1), (3.6, 1)])
def test_the_inset_is_left_out_where_it_would_cover_the_curve(
    distance: float, expected: int
) -> None:
    """The AUC is about .60, .83, .95 and .995."""
    roc, pr = curves_of(distance)
    assert insets(roc_plot(roc)) == expected
    assert insets(precision_recall_plot(pr, 0.5)) == expected


def test_no_inset_covers_the_curve_of_a_fold_or_of_a_rare_class() -> None:
    good, bad = curves_of(3.6)[0], curves_of(1.0)[0]
    assert insets(roc_plot(good, [good])) == 1
    assert insets(roc_plot(good, [good, bad])) == 0
    _, rare = curves_of(2.3, infected=0.02)
    assert insets(precision_recall_plot(rare, 0.02)) == 0


def test_each_fold_is_a_line() -> None:
    roc, pr = curves_of(1.0)
    for draw, one in ((roc_plot, roc), (lambda *a: precision_recall_plot(a[0], 0.5, *a[1:]), pr)):
        lines = [len(draw(one, folds).axes[0].lines) for folds in ([], [one] * 3)]
        assert lines[1] == lines[0] + 3


@pytest.mark.slow
@pytest.mark.usefixtures("plots_with_pictures")
def test_files_are_complete_and_always_the_same(tmp_path: Path) -> None:
    roc, _ = curves_of(2.3)
    first, second = tmp_path / "a", tmp_path / "b"
    for folder in (first, second):
        folder.mkdir()
        write_plots(folder, {"roc": roc_plot(roc)})
    names = plot_file_names(["roc"])
    assert names == ("plots/roc.png", "plots/roc.pdf", "plots/roc.svg")
    assert {path.name for path in (first / "plots").iterdir()} == {Path(n).name for n in names}
    for name in names:
        content = (first / name).read_bytes()
        assert content == (second / name).read_bytes()
        assert not any(word in content for word in (b"CreationDate", b"dc:date", b"Software"))
    with Image.open(first / "plots/roc.png") as image:
        assert image.size == (960, 810)
    svg = (first / "plots/roc.svg").read_text()
    assert "sensitivity" in svg  # text stays text
    assert "#00000" not in svg  # the colours of a file, not the placeholders of a page
    assert (first / "plots/roc.pdf").read_bytes().startswith(b"%PDF")
