"""Predictions from Python: any kind of picture, in order, with an error for every bad one."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

import hemozoin
from hemozoin.arrays import Bools, Pixels
from hemozoin.decision.conformal import ReviewBand
from hemozoin.decision.ood import OutOfDistributionDetector
from hemozoin.errors import ModelError
from hemozoin.model.bundle import GRAPH, INT8_GRAPH, Bundle, save_bundle
from hemozoin.model.onnx_export import with_graph
from hemozoin.model.pictures import Picture
from hemozoin.model.prediction import OUT_OF_DISTRIBUTION, TOO_CLOSE, Prediction
from hemozoin.model.predictor import Predictor
from tests.conftest import draw_cell, encoded, png
from tests.support.bundles import some_bundle, some_cells, some_classifier


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return some_bundle(some_classifier(orientations=2))


@pytest.fixture(scope="module")
def predictor(bundle: Bundle) -> Predictor:
    return Predictor(bundle)


def a_cell(seed: int = 1) -> Image.Image:
    return draw_cell(np.random.default_rng(seed), infected=True)


# ---- kinds of pictures --------------------------------------------------------------------------


def test_every_kind_of_picture_gives_the_same_prediction(
    predictor: Predictor, tmp_path: Path
) -> None:
    file = tmp_path / "a cell.png"
    file.write_bytes(png(a_cell()))
    kinds: list[Picture] = [file, str(file), a_cell(), np.asarray(a_cell()), Image.open(file)]
    found = predictor.predict(kinds)
    assert len({prediction.p_parasitized for prediction in found}) == 1
    assert found[0].p_parasitized is not None
    assert [prediction.cell for prediction in found] == ["a cell", "a cell", "2", "3", "4"]
    assert [prediction.file for prediction in found] == [file.as_posix()] * 2 + [None] * 3
    for kind, expected in zip(kinds, found, strict=True):
        alone = predictor.predict(kind)
        assert isinstance(alone, Prediction)
        assert alone.p_parasitized == pytest.approx(expected.p_parasitized, abs=1e-6)


def test_a_batch_array_is_many_pictures(predictor: Predictor) -> None:
    found = predictor.predict(iter(some_cells(3, 40)))
    assert cast(object, predictor.predict(some_cells(3, 40))) == found
    assert [prediction.cell for prediction in found] == ["0", "1", "2"]
    assert len({prediction.p_parasitized for prediction in found}) == 3
    assert predictor.predict([]) == []


def test_the_pictures_of_the_caller_are_not_changed(predictor: Predictor) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated by 90°
    rotated = Image.open(io.BytesIO(encoded(a_cell(), "JPEG", exif=exif)))
    grey, array = a_cell().convert("L"), np.asarray(a_cell()).copy()
    for prediction in predictor.predict([rotated, grey, array]):
        assert prediction.error is None
    assert rotated.size == a_cell().size
    assert rotated.getexif()[0x0112] == 6
    assert grey.mode == "L"
    assert (array == np.asarray(a_cell())).all()


@pytest.mark.slow
def test_a_stream_is_lazy_in_order_and_uses_little_memory(predictor: Predictor) -> None:
    cells, taken = [np.asarray(a_cell(seed)) for seed in range(7)], 0

    def endless() -> Iterator[Pixels]:
        nonlocal taken
        while True:
            yield cells[taken % 7]
            taken += 1

    stream = predictor.predict_stream(endless())
    assert taken == 0
    found = []
    for number in range(1200):
        found.append(next(stream))
        assert found[number].cell == str(number)
        assert taken - number < 500
    p = [prediction.p_parasitized or 0 for prediction in found]
    assert p[:1190] == pytest.approx(p[7:1197], abs=2e-6)
    assert len(set(p[:7])) == 7


# ---- bad pictures -------------------------------------------------------------------------------


def animation(image_format: str) -> bytes:
    frames = [a_cell(1).resize((40, 40)), a_cell(2).resize((40, 40))]
    return encoded(frames[0], image_format, save_all=True, append_images=frames[1:])


BAD = {
    "one pixel.png": (png(Image.new("RGB", (1, 1), "pink")), "1x1 pixels"),
    "line.png": (png(Image.new("RGB", (60, 1), "pink")), "60x1 pixels"),
    "wide.png": (png(Image.new("RGB", (20_000, 60), "pink")), "20000x60 pixels"),
    "animated.gif": (animation("GIF"), "an animation"),
    "animated.webp": (animation("WEBP"), "an animation"),
    "animated.png": (animation("PNG"), "an animation"),
    "truncated.png": (png(a_cell())[:-60], "not a readable picture"),
    "truncated.jpg": (encoded(a_cell(), "JPEG")[:400], "not a readable picture"),
    "empty.png": (b"", "empty file"),
    "text.png": (b"hello", "unknown format"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_gets_a_prediction_with_its_error(
    name: str, predictor: Predictor, tmp_path: Path
) -> None:
    content, message = BAD[name]
    (tmp_path / name).write_bytes(content)
    bad, good = predictor.predict([tmp_path / name, a_cell()])
    assert message in (bad.error or "")
    assert name in (bad.error or "")
    assert [bad.label, bad.decision, bad.p_parasitized, bad.reason] == [None] * 4
    assert good.label
    assert good.error is None


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        ("nowhere.png", "nowhere.png"),
        (Path("/"), "no such file"),
        (np.zeros((40, 40, 3)), "float64"),
        (np.zeros((40, 40), np.uint8), r"\[40, 40\]"),
        (np.zeros((40, 40, 4), np.uint8), r"\[40, 40, 4\]"),
        (np.zeros((0, 40, 3), np.uint8), r"\[0, 40, 3\]"),
        (np.zeros((1, 1, 3), np.uint8), "1x1"),
        (Image.new("RGB", (20_000, 20)), "20000x20"),
        (Image.open(io.BytesIO(png(a_cell())[:-60])), "not a readable"),
        (Image.open(io.BytesIO(animation("GIF"))), "an animation"),
        (b"bytes", "a bytes"),
        (None, "a NoneType"),
    ],
    # The default name of an object would be its address.
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_argument_gets_a_prediction_with_its_error(
    picture: object, message: str, predictor: Predictor
) -> None:
    good, bad, last = predictor.predict([a_cell(), picture, a_cell()])  # type: ignore[list-item]
    assert bad.p_parasitized is None
    assert re.search(message, bad.error or "")
    assert good.error is last.error is None


# ---- decisions ----------------------------------------------------------------------------------


class ConstantDetector:
    """A detector that finds all cells out of distribution, or none."""

    def __init__(self, detected: bool) -> None:
        self.detected = detected

    def is_out_of_distribution(self, pixels: Pixels) -> Bools:
        return np.full(len(pixels), self.detected)


def test_label_decision_and_reason(bundle: Bundle) -> None:
    """The threshold gives the label, the detector and then the review band the decision."""
    cell = some_cells(1, 32)[0]
    p = Predictor(bundle).predict(cell).p_parasitized
    assert p is not None

    def outcome(threshold: float, low: float, high: float, detected: bool = False) -> list[object]:
        changed = replace(
            bundle,
            threshold=replace(bundle.threshold, value=threshold),
            review_band=ReviewBand(low, high, 0.05),
            ood_detector=cast(OutOfDistributionDetector, ConstantDetector(detected)),
        )
        found = [Predictor(changed).predict(cell, review) for review in (True, False)]
        assert {x.p_parasitized for x in found} == {p}
        assert found[1].decision == found[1].label
        assert found[1].reason is None
        return [found[0].label, found[0].decision, found[0].reason]

    less, more = p - 2e-6, p + 2e-6
    assert outcome(p, 0, less) == ["parasitized", "parasitized", None]
    assert outcome(p, more, 1) == ["parasitized", "uninfected", None]
    assert outcome(p, less, more) == ["parasitized", "review", TOO_CLOSE]
    assert outcome(more, less, more) == ["uninfected", "review", TOO_CLOSE]
    assert outcome(p, 0, less, detected=True) == ["parasitized", "review", OUT_OF_DISTRIBUTION]
    assert outcome(more, less, more, detected=True) == ["uninfected", "review", OUT_OF_DISTRIBUTION]


# ---- graphs -------------------------------------------------------------------------------------


def other_onnx(metadata: dict[str, str]) -> bytes:
    """Return an ONNX file whose output is its input."""
    shape = ("N", 32, 32, 3)
    ends = [helper.make_tensor_value_info(n, TensorProto.UINT8, shape) for n in ("pixels", "same")]
    node = helper.make_node("Identity", ["pixels"], ["same"])
    graph = helper.make_graph([node], "other", ends[:1], ends[1:])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    helper.set_model_props(made, metadata)
    content: bytes = made.SerializeToString()
    return content


def metadata_of(bundle: Bundle) -> dict[str, str]:
    model = onnx.load_from_string(bundle.graphs[GRAPH])
    return {entry.key: entry.value for entry in model.metadata_props}


def test_an_onnx_file_of_another_program_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    for metadata, message in (
        ({}, "lack format, classes, preprocessing, threshold"),
        ({"format": "x", "classes": "[]", "preprocessing": "{}"}, "lack threshold"),
        (metadata_of(bundle) | {"classes": '["parasitized", "uninfected"]'}, "needs the classes"),
    ):
        file = tmp_path / "other.onnx"
        file.write_bytes(other_onnx(metadata))
        with pytest.raises(ModelError, match=rf"other\.onnx: .*{message}"):
            Predictor.load(file)
        with pytest.raises(ModelError, match=message):
            Predictor(replace(bundle, graphs={GRAPH: file.read_bytes()}))


def test_an_onnx_file_with_another_preprocessing_is_refused(bundle: Bundle) -> None:
    other = some_bundle(some_classifier(), size=40)
    with pytest.raises(ModelError, match="preprocessing differs"):
        Predictor(replace(bundle, graphs=other.graphs))


@pytest.mark.parametrize("content", [b"", b"junk" * 99, b"\x80\x04cos\nsystem\n(S'true'\ntR."])
def test_an_invalid_onnx_file_is_refused(content: bytes, bundle: Bundle, tmp_path: Path) -> None:
    file = tmp_path / "a.onnx"
    file.write_bytes(content)
    with pytest.raises(ModelError, match=rf"a\.onnx: {'not' if content else 'has 0 bytes'}"):
        Predictor.load(file)
    with pytest.raises(ModelError, match=r"model\.onnx: not"):
        Predictor(replace(bundle, graphs={GRAPH: content}))


def test_an_onnx_file_without_its_model_folder_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    save_bundle(bundle, tmp_path / "model")
    with pytest.raises(ModelError, match="give the model folder"):
        Predictor.load(tmp_path / "model" / GRAPH)


def test_missing_int8_names_the_command_that_makes_it(bundle: Bundle) -> None:
    with pytest.raises(ModelError, match="hemozoin export"):
        Predictor(bundle, "int8")


def test_the_precision_selects_the_onnx_file(bundle: Bundle) -> None:
    weights = bundle.weights | {"network.head.bias": np.array([0, 9], np.float32)}
    other = with_graph(replace(bundle, weights=weights)).graphs[GRAPH]
    both = replace(bundle, graphs={**bundle.graphs, INT8_GRAPH: other})
    cells = some_cells(4, 32)
    assert (Predictor(both)(cells) == Predictor(bundle)(cells)).all()
    assert (Predictor(both, "int8")(cells) > Predictor(both)(cells)).all()


def test_load_opens_a_folder(bundle: Bundle, tmp_path: Path) -> None:
    save_bundle(bundle, tmp_path / "run" / "model")
    cell = a_cell()
    expected = Predictor(bundle).predict(cell)
    for path in (tmp_path / "run", str(tmp_path / "run" / "model")):
        assert hemozoin.load(path).predict(cell) == expected
