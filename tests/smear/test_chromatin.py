from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import hemozoin
from hemozoin.arrays import Floats, Pixels
from hemozoin.decision.ood import STAIN_AND_TEXTURE, OutOfDistributionDetector, cell_measures
from hemozoin.model.bundle import Bundle
from hemozoin.model.prediction import NO_CHROMATIN, OUT_OF_DISTRIBUTION, TOO_CLOSE, CellDecision
from hemozoin.smear.chromatin import reconsider, shows_chromatin

CYTOPLASM = np.array([0.30, 0.50, 0.45])

#: Relative densities in red, green and blue.
RED_VIOLET, GREY = np.array([0.2, 1.0, 0.4]), np.array([0.8, 1.1, 0.6])

MEASURES = (
    *("area", "corners", "outline", "blocks"),
    *STAIN_AND_TEXTURE,
)
CONTRAST = ("spread", "grain", "edges")

CALLED = CellDecision(0.9, "parasitized", None, np.zeros((4, 4)))
STRANGE = CALLED._replace(decision="review", reason=OUT_OF_DISTRIBUTION)


def cell(spot: Floats, noise: float = 0.01) -> Pixels:
    """Draw a round cell on black, `[64, 64, 3]`, with a spot of a density."""
    y, x = np.mgrid[:64, :64]
    density = CYTOPLASM + np.random.default_rng(0).normal(0, noise, (64, 64, 1))
    density = density + spot * (np.hypot(x - 40, y - 30) < 4)[..., None]
    density += 0.3 * (np.hypot(x - 32, y - 32) > 31)[..., None]  # the rim
    inside = np.hypot(x - 32, y - 32) < 32
    return np.asarray(np.clip(256 * np.exp(-density) - 1, 1, 255) * inside[..., None], np.uint8)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    """Return a network whose guard lets through what is like a cell with a grey spot."""
    measures = cell_measures(cell(0.2 * GREY)[None])[0]
    return replace(
        hemozoin.load("nano").bundle,
        ood_detector=OutOfDistributionDetector(measures - 0.05, measures + 0.05),
    )


@pytest.mark.parametrize(
    ("spot", "stain", "shown"),
    [
        (0.2 * RED_VIOLET, 0.25, True),  # faint, but of the colour of chromatin
        (0.5 * GREY, 0.25, True),  # grey, but dense
        (0.2 * GREY, 0.25, False),
        (0.5 * GREY, 0.7, False),  # not dense for a smear that is stained so dark
        (0.0 * GREY, 0.25, False),  # no spot
    ],
)
def test_chromatin_is_red_violet_or_dense(spot: Floats, stain: float, shown: bool) -> None:
    assert shows_chromatin(cell(spot), stain) == shown


def test_a_called_cell_without_chromatin_is_for_review(bundle: Bundle) -> None:
    grey = cell(0.2 * GREY)
    decided = reconsider(CALLED, grey, grey, 0.25, bundle)
    assert (decided.decision, decided.reason) == ("review", NO_CHROMATIN)
    assert decided.p_parasitized == CALLED.p_parasitized
    assert reconsider(CALLED, cell(RED_VIOLET), grey, 0.25, bundle).decision == "parasitized"


def test_cells_that_are_not_called_infected_stay_as_they_are(bundle: Bundle) -> None:
    grey = cell(0.2 * GREY)
    for p, decision, reason in (
        (0.01, "uninfected", None),
        (0.4, "review", TOO_CLOSE),
        (0.4, "review", OUT_OF_DISTRIBUTION),
    ):
        decided = CALLED._replace(p_parasitized=p, decision=decision, reason=reason)
        assert reconsider(decided, grey, grey, 0.25, bundle) is decided


def test_a_called_cell_is_not_strange_for_its_contrast_alone(bundle: Bundle) -> None:
    much = cell(1.2 * RED_VIOLET)
    wide = np.where([name in CONTRAST for name in MEASURES], 0, np.float32(9))
    guard = bundle.ood_detector
    lenient = OutOfDistributionDetector(guard.low - wide, guard.high + wide)
    assert lenient.is_out_of_distribution(much[None])
    decided = reconsider(STRANGE, much, much, 0.25, replace(bundle, ood_detector=lenient))
    assert (decided.decision, decided.reason) == ("parasitized", None)
    assert reconsider(STRANGE, much, much, 0.25, bundle) is STRANGE  # its colour is strange, too


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize("model", ["nano", "best"])
def test_drops_and_platelets_on_healthy_cells_are_not_called_infected(
    real_fields: Path, model: str
) -> None:
    predictor = hemozoin.load(model)
    found = [hemozoin.screen(path, predictor) for path in (real_fields / "bccd").glob("*.jpg")]
    red_cells = sum(len(field.cells) for field in found)
    assert red_cells > 250
    assert sum(field.infected for field in found) < 0.01 * red_cells
