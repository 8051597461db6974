from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import hemozoin
from fields import OTHERS
from hemozoin.arrays import Floats, Pixels
from hemozoin.classes import UNINFECTED
from hemozoin.decision.ood import STAIN_AND_TEXTURE, OutOfDistributionDetector, cell_measures
from hemozoin.model.bundle import Bundle
from hemozoin.model.prediction import NO_CHROMATIN, OUT_OF_DISTRIBUTION, TOO_CLOSE, CellDecision
from hemozoin.smear.classification.chromatin import (
    SUSPECT,
    CellStain,
    FieldContext,
    allow_contrast,
    is_enlarged,
    is_plain,
    is_red_violet,
    may_be_chromatin,
    reconsider,
    stain_of,
)
from picture_processing import PROCESSING
from world import marked_cells, marked_fields

CYTOPLASM = np.array([0.30, 0.50, 0.45])

#: Relative densities in red, green and blue.
RED_VIOLET, GREY = np.array([0.2, 1.0, 0.4]), np.array([0.8, 1.1, 0.6])
BLACK = np.array([1.0, 1.0, 1.0])

MEASURES = (
    *("area", "sides", "outline", "blocks"),
    *STAIN_AND_TEXTURE,
)
CONTRAST = ("spread", "grain", "edges")

CALLED = CellDecision(0.9, "parasitized", None, np.zeros((4, 4)))
STRANGE = CALLED._replace(decision="review", reason=OUT_OF_DISTRIBUTION)


#: The density of the background around drawn cells, and of a healthy cell relative to it.
BACKGROUND = np.array([0.1, 0.1, 0.1])
HEALTHY = CYTOPLASM - BACKGROUND


def context(stain: float = 0.25, typical: float | None = None, red_cells: int = 50) -> FieldContext:
    """Return a field in which `typical` is the density of healthy cells' spots."""
    healthy = [] if typical is None else [CellStain(np.full(3, typical), HEALTHY, 100.0)] * 5
    return FieldContext(stain, red_cells, healthy)


def shown(spot: Floats, noise: float = 0.01) -> CellStain:
    """Return what a drawn cell shows, with a spot of a density."""
    return stain_of(cell(spot, noise), BACKGROUND, 100.0)


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
    ("spot", "stain", "is_chromatin"),
    [
        (0.2 * RED_VIOLET, 0.25, True),  # faint, but of the colour of chromatin
        (0.5 * GREY, 0.25, True),  # grey, but dense
        (0.2 * GREY, 0.25, False),
        (0.5 * GREY, 0.7, False),  # not dense for a smear that is stained so dark
        (0.0 * GREY, 0.25, False),  # no spot
        (1.5 * BLACK, 0.25, False),  # a scale bar in the picture
    ],
)
def test_chromatin_is_red_violet_or_dense(spot: Floats, stain: float, is_chromatin: bool) -> None:
    assert may_be_chromatin(shown(spot).spot, context(stain)) == is_chromatin


def test_a_distinct_spot_may_have_more_red() -> None:
    reddish, grey = (shown(0.2 * np.array(s)).spot for s in ((0.5, 1, 0.6), (0.8, 1, 0.6)))
    typical = float(reddish.mean())
    assert not may_be_chromatin(reddish, context())
    assert not may_be_chromatin(reddish, context(typical=typical / 2.9))
    assert may_be_chromatin(reddish, context(typical=typical / 3.1))
    assert not may_be_chromatin(grey, context(typical=typical / 9))


def test_a_cell_with_few_beside_it_is_called_beyond_the_threshold_for_counting(
    bundle: Bundle,
) -> None:
    violet, point = shown(RED_VIOLET), bundle.counting_point
    assert point
    assert point.threshold is not None
    sure = CALLED._replace(p_parasitized=point.threshold)
    unsure = CALLED._replace(p_parasitized=point.threshold - 1e-6)
    few, enough = context(typical=0.1, red_cells=19), context(typical=0.1, red_cells=20)
    assert reconsider(sure, violet, few, bundle) is sure
    decided = reconsider(unsure, violet, few, bundle)
    assert (decided.decision, decided.reason) == ("review", TOO_CLOSE)
    assert reconsider(unsure, violet, enough, bundle) is unsure
    earlier = replace(bundle, counting_point=None)  # a model folder of an earlier version
    assert reconsider(unsure, violet, few, earlier) is unsure


@pytest.mark.parametrize("pixels", [0, 1, 2, 3])
def test_a_cell_with_hardly_any_pixels_has_no_spot(pixels: int) -> None:
    """A black object is prepared as an empty picture."""
    empty = np.zeros((64, 64, 3), np.uint8)
    empty[10, 10 : 10 + pixels] = 7
    found = stain_of(empty, BACKGROUND, 1.0)
    assert found.spot == pytest.approx(np.zeros(3), abs=1e-6)
    if not pixels:
        assert found.mean == pytest.approx(np.zeros(3))


def test_the_densest_spot_is_relative_to_the_cell() -> None:
    spot = shown(0.4 * RED_VIOLET).spot
    assert spot == pytest.approx(0.4 * RED_VIOLET, abs=0.03)
    assert shown(0.4 * RED_VIOLET, noise=0).spot == pytest.approx(spot, abs=0.03)


def test_the_mean_density_is_relative_to_the_background() -> None:
    assert shown(0 * GREY).mean == pytest.approx(HEALTHY, abs=0.02)
    dark = stain_of(cell(0 * GREY), BACKGROUND - 0.2, 100.0)
    assert dark.mean == pytest.approx(HEALTHY + 0.2, abs=0.02)


def test_a_called_cell_without_chromatin_is_for_review(bundle: Bundle) -> None:
    grey, violet = (shown(spot) for spot in (0.2 * GREY, RED_VIOLET))
    decided = reconsider(CALLED, grey, context(), bundle)
    assert (decided.decision, decided.reason) == ("review", NO_CHROMATIN)
    assert decided.p_parasitized == CALLED.p_parasitized
    assert reconsider(CALLED, violet, context(), bundle).decision == "parasitized"


def test_what_healthy_cells_show_as_well_is_plain() -> None:
    faint, violet, grey = (shown(s).spot for s in (0.2 * RED_VIOLET, RED_VIOLET, 0.2 * GREY))
    typical = context(typical=float(faint.mean())).typical
    assert typical == pytest.approx(faint.mean())
    assert is_plain(faint, context(typical=typical))
    assert not is_plain(violet, context(typical=typical))
    # One that is grey and faint is plain up to twice the density.
    assert is_plain(grey, context(typical=grey.mean() / 1.9))
    assert not is_plain(grey, context(typical=grey.mean() / 2.1))
    too_few = FieldContext(0.25, 50, [shown(0.2 * RED_VIOLET)] * 4)
    assert too_few.typical is None
    assert not is_plain(faint, too_few)


def test_a_plain_cell_is_decided_one_step_lower(bundle: Bundle) -> None:
    faint = shown(0.2 * RED_VIOLET)
    typical = float(faint.spot.mean())
    called = reconsider(CALLED, faint, context(typical=typical), bundle)
    assert (called.decision, called.reason) == ("review", NO_CHROMATIN)
    close = CALLED._replace(p_parasitized=0.4, decision="review", reason=TOO_CLOSE)
    twice = faint._replace(spot=2 * faint.spot)
    decided = reconsider(close, faint, context(typical=typical), bundle)
    assert (decided.decision, decided.reason) == ("uninfected", None)
    assert reconsider(close, twice, context(typical=typical), bundle) is close
    labelled = close._replace(p_parasitized=bundle.threshold.value)  # its label is parasitized
    assert reconsider(labelled, faint, context(typical=typical), bundle) is labelled
    assert reconsider(STRANGE, faint, context(typical=typical), bundle) is STRANGE


def test_cells_that_are_not_called_infected_are_not_for_review_for_it(bundle: Bundle) -> None:
    grey = shown(0.2 * GREY)
    for p, decision, reason in (
        (0.01, "uninfected", None),
        (0.4, "review", TOO_CLOSE),
        (0.4, "review", OUT_OF_DISTRIBUTION),
    ):
        decided = CALLED._replace(p_parasitized=p, decision=decision, reason=reason)
        assert reconsider(decided, grey, context(), bundle) is decided


# ---- cells that are red-violet as a whole ------------------------------------------------------


def field_of(count: int, spot: float = 0.2, area: float = 100.0) -> FieldContext:
    """Return a field of healthy cells whose colours vary by a few per cent."""
    colors = HEALTHY * np.random.default_rng(0).normal(1, 0.03, (count, 3))
    return FieldContext(0.25, 50, [CellStain(np.full(3, spot), one, area) for one in colors])


#: A cell full of parasite: no distinct spot, and less red than the others. Its spot is grey.
FULL = CellStain(0.2 * GREY, HEALTHY * np.array([0.8, 1.1, 1.0]), 100.0)


@pytest.mark.parametrize(
    ("color", "expected"),
    [
        ((0.8, 1.1, 1.0), True),
        ((1.0, 1.0, 1.0), False),
        ((1.6, 1.6, 1.6), False),  # two cells on each other
        ((1.2, 1.0, 1.0), False),  # blue
        ((1.0, 1.0, 0.6), False),  # less blue, as dirt may have
    ],
)
def test_a_cell_is_red_violet_compared_with_its_field(
    color: tuple[float, float, float], expected: bool
) -> None:
    found = FULL._replace(mean=HEALTHY * np.array(color))
    assert is_red_violet(found, field_of(20)) == expected
    tinted = FieldContext(0.25, 50, [one._replace(mean=found.mean) for one in field_of(20).healthy])
    assert not is_red_violet(found, tinted)  # all cells of this field are so
    assert not is_red_violet(found, field_of(7))
    assert not is_red_violet(found, field_of(0))


def test_a_platelet_is_no_red_violet_cell() -> None:
    assert is_red_violet(FULL, field_of(20, area=160.0))
    assert not is_red_violet(FULL, field_of(20, area=170.0))


def test_a_red_violet_cell_needs_no_chromatin(bundle: Bundle) -> None:
    assert reconsider(CALLED, FULL, field_of(20), bundle) is CALLED
    assert is_plain(FULL.spot, field_of(20, spot=0.5))
    assert reconsider(CALLED, FULL, field_of(20, spot=0.5), bundle) is CALLED
    healthy = FULL._replace(mean=HEALTHY)
    assert reconsider(CALLED, healthy, field_of(20), bundle).reason == NO_CHROMATIN


def test_a_red_violet_cell_is_called_although_it_is_strange(bundle: Bundle) -> None:
    decided = reconsider(STRANGE, FULL, field_of(20), bundle)
    assert (decided.decision, decided.reason) == ("parasitized", None)
    healthy = FULL._replace(mean=HEALTHY)
    assert reconsider(STRANGE, healthy, field_of(20), bundle) is STRANGE
    close = STRANGE._replace(p_parasitized=bundle.review_band.high - 0.01)
    assert reconsider(close, FULL, field_of(20), bundle) is close


def test_an_enlarged_cell_has_a_dark_spot_and_is_larger_than_the_others() -> None:
    enlarged = CellStain(0.4 * RED_VIOLET, HEALTHY, 130.0)
    typical = float(enlarged.spot.mean()) / 2
    assert is_enlarged(enlarged, field_of(20, spot=typical))
    assert not is_enlarged(enlarged, field_of(20, spot=1.01 * typical))
    assert not is_enlarged(enlarged, field_of(20, spot=typical, area=101.0))
    assert not is_enlarged(enlarged, field_of(4, spot=typical))
    assert not is_enlarged(enlarged, field_of(0))


def test_a_red_violet_or_enlarged_cell_is_not_taken_for_uninfected(bundle: Bundle) -> None:
    enlarged = CellStain(0.4 * RED_VIOLET, HEALTHY, 130.0)
    unlikely = CALLED._replace(p_parasitized=SUSPECT, decision="uninfected")
    for cell in (FULL, enlarged):
        decided = reconsider(unlikely, cell, field_of(20, spot=0.1), bundle)
        assert (decided.decision, decided.reason) == ("review", TOO_CLOSE)
        less = unlikely._replace(p_parasitized=SUSPECT - 0.01)
        assert reconsider(less, cell, field_of(20, spot=0.1), bundle) is less
    healthy = FULL._replace(mean=HEALTHY)
    assert reconsider(unlikely, healthy, field_of(20, spot=0.1), bundle) is unlikely


def test_a_red_violet_cell_without_a_spot_stays_for_review(bundle: Bundle) -> None:
    close = CALLED._replace(p_parasitized=0.4, decision="review", reason=TOO_CLOSE)
    assert is_plain(FULL.spot, field_of(20, spot=0.5))
    decided = reconsider(close, FULL, field_of(20, spot=0.5), bundle)
    assert (decided.decision, decided.reason) == ("review", TOO_CLOSE)


def test_a_called_cell_is_not_strange_for_its_contrast_alone(bundle: Bundle) -> None:
    much = cell(1.2 * RED_VIOLET)
    wide = np.where([name in CONTRAST for name in MEASURES], 0, np.float32(9))
    guard = bundle.ood_detector
    lenient = OutOfDistributionDetector(guard.low - wide, guard.high + wide)
    assert lenient.is_out_of_distribution(much[None])
    decided = allow_contrast(STRANGE, much, replace(bundle, ood_detector=lenient))
    assert (decided.decision, decided.reason) == ("parasitized", None)
    assert allow_contrast(STRANGE, much, bundle) is STRANGE  # its colour is strange, too
    assert allow_contrast(CALLED, much, bundle) is CALLED
    uninfected = STRANGE._replace(p_parasitized=0.01)
    assert allow_contrast(uninfected, much, replace(bundle, ood_detector=lenient)) is uninfected


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


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize("model", ["nano", "best"])
def test_overlaps_of_cells_in_small_pictures_are_not_called_infected(
    real_fields: Path, model: str
) -> None:
    predictor = hemozoin.load(model)
    pictures = (real_fields / "world" / "small_256").glob("*.png")  # healthy blood
    found = [hemozoin.screen(path, predictor) for path in pictures]
    assert sum(len(field.cells) for field in found) > 45
    assert not any(field.infected for field in found)


@pytest.mark.real
@pytest.mark.slow
def test_gametocytes_with_little_red_violet_are_called_infected(real_fields: Path) -> None:
    found = hemozoin.screen(real_fields / "iml" / "PA171898.JPG", "nano")
    (gametocyte,) = (cell for cell in found.cells if abs(cell.x - 700) + abs(cell.y - 679) < 20)
    assert gametocyte.decision == "parasitized"


@pytest.mark.real
@pytest.mark.slow
def test_infected_cells_in_weak_colours_are_rarely_taken_for_uninfected(real_fields: Path) -> None:
    """5 of 24 if red-violet and enlarged cells are not for review, 2 if they are."""
    predictor, truths = hemozoin.load("nano"), marked_fields(real_fields / "iml", infected=None)
    decisions = []
    for truth in truths:
        picture = PROCESSING["saturation 0.4"](Image.open(truth.path).convert("RGB"))
        found = hemozoin.screen(picture, predictor)
        marks = [mark for mark in truth.cells if mark["type"] not in OTHERS]
        decisions += [
            one.decision for one, kind in marked_cells(found, marks) if kind != UNINFECTED
        ]
    assert len(decisions) >= 20
    assert decisions.count("uninfected") <= 3


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize(
    ("picture", "x", "y"),
    [
        ("world/bbbc041/4fc9a597-aaa8-43b0-ad1c-2eabbe442e84.webp", 276, 449),  # a trophozoite
        ("world/bbbc041/0d2aba33-6920-4001-bd54-59fe0bf9f50e.webp", 607, 316),  # a schizont
        ("iml/PA171736.JPG", 1067, 634),  # a gametocyte
    ],
)
def test_cells_full_of_parasite_are_called_infected(
    real_fields: Path, picture: str, x: int, y: int
) -> None:
    """They have no distinct spot of chromatin, or are not like the training cells."""
    found = hemozoin.screen(real_fields / picture, "nano")
    (cell,) = (c for c in found.cells if c.x < x < c.x + c.width and c.y < y < c.y + c.height)
    assert cell.decision == "parasitized"
