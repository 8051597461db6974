"""The input transforms and the classifier: what they return, and what that must not depend on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
import torch
from torch import Tensor

from hemozoin.mobilenet.architecture import Architecture
from hemozoin.model.checks.graph import OPSET
from hemozoin.model.onnx_builder import OnnxBuilder
from hemozoin.model.transform import (
    BACKGROUND,
    DENSITIES,
    DENSITY_GAIN,
    PLAIN_CYTOPLASM,
    add_density,
)
from hemozoin.onnx_runtime import onnxruntime
from hemozoin.training.classifier import Classifier, PlainRgb, RelativeOpticalDensity

Levels = npt.NDArray[np.floating[Any]]

SMALL = Architecture(alpha=0.25, classes=2)


def cell(colour: tuple[int, int, int], parasite: float = 1.0, size: int = 33) -> Tensor:
    """Return a flat disc of one colour on black, uint8 [1, size, size, 3], with a darker spot.

    `parasite` is the share of light that the spot transmits; 1 means no spot.
    """
    y, x = torch.meshgrid(torch.linspace(-1, 1, size), torch.linspace(-1, 1, size), indexing="ij")
    pixels = torch.tensor(colour).float().expand(size, size, 3).clone()
    spot = (x - 0.2) ** 2 + y**2 < 0.03
    pixels[spot] *= parasite
    pixels[x**2 + y**2 >= 0.8] = 0
    return pixels.round().to(torch.uint8)[None]


STAINS = [(230, 180, 190), (200, 200, 170), (150, 140, 190), (120, 110, 100)]


@pytest.mark.parametrize("stain", STAINS)
def test_a_healthy_cell_is_flat_zero_whatever_its_stain(stain: tuple[int, int, int]) -> None:
    pixels = cell(stain)
    inputs = RelativeOpticalDensity()(pixels)[0]
    inside = pixels[0].amax(dim=2) > 0
    assert inputs[:, inside].abs().max() < 1e-4
    assert (inputs[:, ~inside] == BACKGROUND).all()


def test_a_parasite_looks_the_same_in_every_stain() -> None:
    depths = torch.stack([RelativeOpticalDensity()(cell(s, 0.5)).amax() for s in STAINS])
    assert depths.min() > 2  # 4 · ln 2 = 2.8
    assert depths.max() - depths.min() < 0.15


def test_a_parasite_does_not_shift_the_reference_density() -> None:
    inputs = RelativeOpticalDensity()(cell(STAINS[0], 0.3))[0]
    healthy = inputs[:, 16, 4]
    assert healthy.abs().max() < 0.03


def test_a_black_picture_is_all_background_not_nan() -> None:
    inputs = RelativeOpticalDensity()(torch.zeros(1, 8, 8, 3, dtype=torch.uint8))
    assert (inputs == BACKGROUND).all()


def test_cells_do_not_influence_each_other() -> None:
    one, other = cell(STAINS[0], 0.5), cell(STAINS[3], 0.8)
    together = RelativeOpticalDensity()(torch.cat([one, other]))
    assert torch.equal(together[:1], RelativeOpticalDensity()(one))


def exact_density(pixels: Tensor) -> Levels:
    """Return the relative density `[N, 3, S, S]`, from sums of whole numbers of Python."""
    step = 2.0**-16
    whole = (DENSITIES / step).astype(np.int64)
    assert np.allclose(whole * step, -DENSITY_GAIN * np.log((np.arange(256) + 1) / 256), atol=step)
    levels = pixels.permute(0, 3, 1, 2).numpy()
    density = whole[levels]
    relative = []
    for cell_density, inside in zip(density, levels.max(axis=1) > 0, strict=True):
        total = cell_density.sum(axis=0)
        mean = int(total[inside].sum()) / int(inside.sum()) * step
        low, high = (np.float32(mean + limit) for limit in PLAIN_CYTOPLASM)
        plain = inside & (total * step > low) & (total * step < high)
        own = cell_density[:, plain].sum(axis=1) / max(1, plain.sum())
        relative.append(np.where(inside, (cell_density - own[:, None, None]) * step, BACKGROUND))
    return np.stack(relative)


def as_graph(pixels: Tensor) -> Levels:
    """Return the same from the ONNX graph."""
    g, size = OnnxBuilder(), pixels.shape[1]
    g("Identity", add_density(g, "pixels", size), name="inputs")
    shapes = {"pixels": (np.uint8, ["N", size, size, 3])}, {"inputs": (np.float32, None)}
    opset = [onnx.helper.make_opsetid("", OPSET)]
    model = onnx.helper.make_model(g.finish(*shapes), opset_imports=opset, ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    found: Levels = session.run(None, {"pixels": pixels.numpy()})[0]
    return found


@pytest.mark.parametrize("transform", [RelativeOpticalDensity(), as_graph], ids=["torch", "ONNX"])
def test_no_pixel_is_on_the_wrong_side_of_a_limit(transform: Callable[[Tensor], Any]) -> None:
    """One pixel of a cell more or less in the cytoplasm would change the result by 1e-5."""
    torch.manual_seed(0)
    noisy = [cell(stain, 0.6).int() + torch.randint(-9, 9, (60, 33, 33, 3)) for stain in STAINS]
    pixels = torch.cat(noisy).clamp(0, 255).to(torch.uint8)
    found = np.asarray(transform(pixels))
    assert np.abs(found - exact_density(pixels)).max() < 3e-6


def test_plain_rgb_ranges_from_minus_one_to_one() -> None:
    pixels = torch.tensor([[[[0, 255, 51]]]], dtype=torch.uint8)
    assert PlainRgb()(pixels).flatten().tolist() == pytest.approx([-1, 1, -0.6])


def test_four_orientations_give_the_same_output_for_every_rotation_of_the_cell() -> None:
    torch.manual_seed(0)
    pixels = torch.randint(0, 256, (3, 32, 32, 3), dtype=torch.uint8)
    rotated = torch.rot90(pixels, 1, (1, 2))
    once = Classifier(SMALL, "density", orientations=1).eval()
    four = Classifier(SMALL, "density", orientations=4).eval()
    four.load_state_dict(once.state_dict())
    with torch.inference_mode():
        assert torch.allclose(four.logits(pixels), four.logits(rotated), atol=1e-6)
        assert not torch.allclose(once.logits(pixels), once.logits(rotated), atol=1e-6)
        mean = sum(once.logits(torch.rot90(pixels, k, (1, 2))) for k in range(4)) / 4
        assert torch.allclose(four.logits(pixels), torch.as_tensor(mean), atol=1e-6)


def test_temperature_softens_and_never_reorders() -> None:
    torch.manual_seed(1)
    classifier = Classifier(SMALL, "density").eval()
    pixels = torch.randint(0, 256, (8, 32, 32, 3), dtype=torch.uint8)
    with torch.inference_mode():
        sharp = classifier(pixels)
        classifier.temperature.fill_(4.0)
        soft = classifier(pixels)
    assert torch.allclose(sharp.sum(1), torch.ones(8))
    assert ((soft - 0.5).abs() <= (sharp - 0.5).abs()).all()
    assert torch.equal(soft[:, 1].argsort(), sharp[:, 1].argsort())
