from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from hemozoin.arrays import Pixels
from hemozoin.data.preprocess import Preprocessing, prepare
from hemozoin.decision.ood import (
    OutOfDistributionDetector,
    cell_measures,
    cell_stain_and_texture,
    fit_ood_detector,
    stain_and_texture,
)
from hemozoin.errors import ModelError
from hemozoin.synthetic.cell import draw_cell, draw_patient

SIZE = 64


def drawn_cells(patients: range, each: int = 12) -> Pixels:
    cells = []
    for number in patients:
        rng = np.random.default_rng(number)
        patient = draw_patient(rng)
        cells += [draw_cell(rng, patient, infected=k % 2 == 0) for k in range(each)]
    return np.stack([prepare(Image.fromarray(cell), Preprocessing(SIZE)) for cell in cells])


@pytest.fixture(scope="module")
def cells() -> Pixels:
    return drawn_cells(range(24))


@pytest.fixture(scope="module")
def ood_detector(cells: Pixels) -> OutOfDistributionDetector:
    return fit_ood_detector(cells)


def prepared(picture: object) -> Pixels:
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(np.asarray(picture))
    return prepare(image.convert("RGB"), Preprocessing(SIZE))[None]


def is_detected(ood_detector: OutOfDistributionDetector, picture: object) -> bool:
    return bool(ood_detector.is_out_of_distribution(prepared(picture))[0])


@pytest.mark.slow
def test_cells_of_other_patients_pass(ood_detector: OutOfDistributionDetector) -> None:
    assert ood_detector.is_out_of_distribution(drawn_cells(range(100, 106))).mean() <= 0.03


RNG = np.random.default_rng(0)
RAMP = np.linspace(0, 255, 100)
TEXT = "\n".join(["thin blood film"] * 12)
OUT_OF_DISTRIBUTION = {
    "noise": RNG.integers(0, 256, (80, 90, 3), dtype=np.uint8),
    "grey noise": RNG.integers(0, 256, (80, 90), dtype=np.uint8),
    "black": np.zeros((50, 50, 3), np.uint8),
    "white": np.full((50, 50, 3), 255, np.uint8),
    "pink": np.full((50, 50, 3), (220, 170, 180), np.uint8),
    "gradient": np.broadcast_to(RAMP[:, None], (100, 100)).astype(np.uint8),
    "colour wheel": np.stack(np.broadcast_arrays(RAMP[:, None], RAMP, 255), 2).astype(np.uint8),
    "checkerboard": np.kron(np.indices((8, 8)).sum(0) % 2, np.full((9, 9), 255)).astype(np.uint8),
    "one pixel": np.full((1, 1, 3), 200, np.uint8),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", OUT_OF_DISTRIBUTION)
def test_pictures_without_a_cell_are_detected(
    ood_detector: OutOfDistributionDetector, kind: str
) -> None:
    assert is_detected(ood_detector, OUT_OF_DISTRIBUTION[kind])


@pytest.mark.parametrize("background", ["white", "black"])
def test_text_is_detected(ood_detector: OutOfDistributionDetector, background: str) -> None:
    picture = Image.new("RGB", (90, 90), background)
    colour = "black" if background == "white" else "white"
    ImageDraw.Draw(picture).multiline_text((1, 1), TEXT, fill=colour)
    assert is_detected(ood_detector, picture)


def test_a_disc_of_the_right_colour_is_too_flat(
    ood_detector: OutOfDistributionDetector, cells: Pixels
) -> None:
    disc = Image.new("RGB", (90, 90))
    ImageDraw.Draw(disc).ellipse((0, 0, 89, 89), fill=tuple(cells[0, 32, 32].tolist()))
    assert is_detected(ood_detector, disc)


def test_several_cells_are_detected(ood_detector: OutOfDistributionDetector, cells: Pixels) -> None:
    assert is_detected(
        ood_detector, np.hstack([cells[0], np.zeros((SIZE, 2, 3), np.uint8), cells[13]])
    )
    assert is_detected(
        ood_detector, np.vstack([np.hstack([cells[k], cells[k + 30]]) for k in (0, 60, 90)])
    )


def test_manipulated_cells_are_detected(
    ood_detector: OutOfDistributionDetector, cells: Pixels
) -> None:
    some = cells[::20]
    inside = some.any(axis=3, keepdims=True)
    noise = np.random.default_rng(0).normal(0, 60, some.shape)
    changed = {
        "noisy": ((some + noise).clip(1, 255) * inside).astype(np.uint8),
        "grey": (some.mean(axis=3, keepdims=True) * np.ones(3)).astype(np.uint8),
        "half": np.where(np.arange(SIZE)[:, None] < SIZE // 2, some, 0).astype(np.uint8),
    }
    shares = {
        name: ood_detector.is_out_of_distribution(pixels).mean() for name, pixels in changed.items()
    }
    assert all(share >= 0.9 for share in shares.values()), shares


def test_a_cell_cut_at_a_corner_is_detected(
    ood_detector: OutOfDistributionDetector, cells: Pixels
) -> None:
    quarters = np.concatenate([prepared(cell[: SIZE // 2, : SIZE // 2]) for cell in cells[::20]])
    assert ood_detector.is_out_of_distribution(quarters).mean() >= 0.8


def test_a_nucleus_like_that_of_a_white_cell_is_detected(
    ood_detector: OutOfDistributionDetector, cells: Pixels
) -> None:
    """It absorbs far more red than blue, unlike haemoglobin in any stain."""
    density = np.array([0.54, 0.80, 0.19]) / 0.8
    light = np.log((cells[::20].astype(float) + 1) / 256).mean(axis=3, keepdims=True)
    stained = (256 * np.exp(1.7 * light * density) - 1).clip(1, 255)
    nuclei = (stained * cells[::20].any(axis=3, keepdims=True)).astype(np.uint8)
    assert ood_detector.is_out_of_distribution(nuclei).mean() >= 0.9


def test_measures_do_not_depend_on_the_rotation(cells: Pixels) -> None:
    rotated = np.rot90(cells[:20], axes=(1, 2))
    assert cell_measures(rotated) == pytest.approx(cell_measures(cells[:20]), abs=1e-3)


def test_stain_and_texture_without_the_outline(cells: Pixels) -> None:
    some = cells[:20]
    assert np.array_equal(cell_stain_and_texture(some), stain_and_texture(cell_measures(some)))
    assert cell_stain_and_texture(some[:0]).shape == (0, 8)


def test_it_works_at_another_size(cells: Pixels) -> None:
    small = cells[:, ::2, ::2]
    ood_detector = fit_ood_detector(small)
    assert ood_detector.is_out_of_distribution(small).mean() <= 0.02
    assert ood_detector.is_out_of_distribution(np.zeros((2, 32, 32, 3), np.uint8)).all()


def test_a_cell_does_not_depend_on_its_batch(
    ood_detector: OutOfDistributionDetector, cells: Pixels
) -> None:
    mixed = np.concatenate([cells[:3], prepared(OUT_OF_DISTRIBUTION["noise"])])
    one_by_one = [bool(ood_detector.is_out_of_distribution(mixed[k : k + 1])[0]) for k in range(4)]
    assert ood_detector.is_out_of_distribution(mixed).tolist() == one_by_one
    assert one_by_one[3]
    assert ood_detector.is_out_of_distribution(cells[:0]).shape == (0,)


def test_all_measures_are_finite(cells: Pixels) -> None:
    uniform = [np.zeros((1, SIZE, SIZE, 3), np.uint8), np.full((1, SIZE, SIZE, 3), 255, np.uint8)]
    speck = uniform[0].copy()
    speck[0, 5, 5] = 9
    for pixels in (*uniform, speck, cells[:5]):
        assert np.isfinite(cell_measures(pixels)).all()


def test_it_converts_to_arrays_and_back(
    ood_detector: OutOfDistributionDetector, cells: Pixels
) -> None:
    arrays = ood_detector.to_arrays()
    assert sum(array.nbytes for array in arrays.values()) < 60_000
    again = OutOfDistributionDetector.from_arrays(arrays)
    both = np.concatenate([cells[:50], prepared(OUT_OF_DISTRIBUTION["noise"])])
    assert np.array_equal(
        again.is_out_of_distribution(both), ood_detector.is_out_of_distribution(both)
    )


def test_the_arrays_of_an_older_folder(ood_detector: OutOfDistributionDetector) -> None:
    """It had another measure in place of `sides`, whose range is that of NLM's cells."""
    older = {"low": ood_detector.low, "high": ood_detector.high}
    again = OutOfDistributionDetector.from_arrays(older)
    assert again.to_arrays()["sides"] == pytest.approx([-np.inf, 0.55])
    assert np.array_equal(np.delete(again.high, 1), np.delete(ood_detector.high, 1))


@pytest.mark.parametrize("names", [(), ("low",), ("low", "high", "more"), ("mean", "limit")])
def test_other_arrays_are_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(ModelError, match=r"guard\.safetensors"):
        OutOfDistributionDetector.from_arrays({name: np.zeros(12, np.float32) for name in names})
    with pytest.raises(ModelError, match=r"guard\.safetensors"):
        OutOfDistributionDetector.from_arrays(
            {name: np.zeros(3, np.float32) for name in ("low", "high")}
        )
