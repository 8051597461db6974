"""Predictions from Python: any kind of picture, in order, and a row for every bad one."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

import hemozoin
from hemozoin.arrays import Pixels
from hemozoin.decision.conformal import ReviewBand
from hemozoin.decision.ood import OutOfDistributionDetector
from hemozoin.errors import ModelError
from hemozoin.model.bundle import GRAPH, INT8_GRAPH, Bundle, save_bundle
from hemozoin.model.onnx_export import with_graph
from hemozoin.model.pictures import Picture
from hemozoin.model.prediction import CLOSE, OUT_OF_DISTRIBUTION, Prediction
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


def test_every_kind_of_picture_gives_the_same(predictor: Predictor, tmp_path: Path) -> None:
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


def test_a_stack_of_arrays_is_many_pictures(predictor: Predictor) -> None:
    found = predictor.predict(iter(some_cells(3, 40)))
    assert cast(object, predictor.predict(some_cells(3, 40))) == found
    assert [prediction.cell for prediction in found] == ["0", "1", "2"]
    assert len({prediction.p_parasitized for prediction in found}) == 3
    assert predictor.predict([]) == []


def test_pictures_of_the_caller_stay_as_they_are(predictor: Predictor) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # on its side
    turned = Image.open(io.BytesIO(encoded(a_cell(), "JPEG", exif=exif)))
    grey, array = a_cell().convert("L"), np.asarray(a_cell()).copy()
    for prediction in predictor.predict([turned, grey, array]):
        assert prediction.error is None
    assert turned.size == a_cell().size
    assert turned.getexif()[0x0112] == 6
    assert grey.mode == "L"
    assert (array == np.asarray(a_cell())).all()


def test_a_stream_is_lazy_in_order_and_holds_little(predictor: Predictor) -> None:
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


def animation(form: str) -> bytes:
    frames = [a_cell(1).resize((40, 40)), a_cell(2).resize((40, 40))]
    return encoded(frames[0], form, save_all=True, append_images=frames[1:])


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
    "text.png": (b"hello", "no known format"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_picture_is_a_row_with_its_error(
    name: str, predictor: Predictor, tmp_path: Path
) -> None:
    content, says = BAD[name]
    (tmp_path / name).write_bytes(content)
    bad, good = predictor.predict([tmp_path / name, a_cell()])
    assert says in (bad.error or "")
    assert name in (bad.error or "")
    assert [bad.label, bad.decision, bad.p_parasitized, bad.reason] == [None] * 4
    assert good.label
    assert good.error is None


@pytest.mark.parametrize(
    ("picture", "says"),
    [
        ("nowhere.png", "nowhere.png"),
        (Path("/"), "no file"),
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
    ids=lambda value: value if isinstance(value, str) else "",  # an object's name is its address
)
def test_what_is_no_picture_is_a_row_with_its_error(
    picture: object, says: str, predictor: Predictor
) -> None:
    good, bad, last = predictor.predict([a_cell(), picture, a_cell()])  # type: ignore[list-item]
    assert bad.p_parasitized is None
    assert re.search(says, bad.error or "")
    assert good.error is last.error is None


# ---- decisions ----------------------------------------------------------------------------------


class Opinion:
    """A guard that finds all cells strange, or none."""

    def __init__(self, strange: bool) -> None:
        self.strange = strange

    def is_out_of_distribution(self, pixels: Pixels) -> npt.NDArray[np.bool_]:
        return np.full(len(pixels), self.strange)


def test_label_decision_and_reason(bundle: Bundle) -> None:
    """The label by the threshold, the decision by the band, strange before close."""
    cell = some_cells(1, 32)[0]
    p = Predictor(bundle).predict(cell).p_parasitized
    assert p is not None

    def said(threshold: float, low: float, high: float, strange: bool = False) -> list[object]:
        changed = replace(
            bundle,
            threshold=replace(bundle.threshold, value=threshold),
            band=ReviewBand(low, high, 0.05),
            ood_detector=cast(OutOfDistributionDetector, Opinion(strange)),
        )
        found = [Predictor(changed).predict(cell, review) for review in (True, False)]
        assert {x.p_parasitized for x in found} == {p}
        assert found[1].decision == found[1].label
        assert found[1].reason is None
        return [found[0].label, found[0].decision, found[0].reason]

    less, more = p - 2e-6, p + 2e-6
    assert said(p, 0, less) == ["parasitized", "parasitized", None]
    assert said(p, more, 1) == ["parasitized", "uninfected", None]
    assert said(p, less, more) == ["parasitized", "review", CLOSE]
    assert said(more, less, more) == ["uninfected", "review", CLOSE]
    assert said(p, 0, less, strange=True) == ["parasitized", "review", OUT_OF_DISTRIBUTION]
    assert said(more, less, more, strange=True) == ["uninfected", "review", OUT_OF_DISTRIBUTION]


# ---- graphs -------------------------------------------------------------------------------------


def foreign(metadata: dict[str, str]) -> bytes:
    """Return an ONNX file that hands its pixels on."""
    shape = ("N", 32, 32, 3)
    ends = [helper.make_tensor_value_info(n, TensorProto.UINT8, shape) for n in ("pixels", "same")]
    node = helper.make_node("Identity", ["pixels"], ["same"])
    graph = helper.make_graph([node], "foreign", ends[:1], ends[1:])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    helper.set_model_props(made, metadata)
    written: bytes = made.SerializeToString()
    return written


def metadata_of(bundle: Bundle) -> dict[str, str]:
    model = onnx.load_from_string(bundle.graphs[GRAPH])
    return {entry.key: entry.value for entry in model.metadata_props}


def test_a_graph_from_elsewhere_is_refused_for_what_it_lacks(
    bundle: Bundle, tmp_path: Path
) -> None:
    for metadata, says in (
        ({}, "lack format, classes, preprocessing, threshold"),
        ({"format": "x", "classes": "[]", "preprocessing": "{}"}, "lack threshold"),
        (metadata_of(bundle) | {"classes": '["parasitized", "uninfected"]'}, "needs the classes"),
    ):
        file = tmp_path / "other.onnx"
        file.write_bytes(foreign(metadata))
        with pytest.raises(ModelError, match=rf"other\.onnx: .*{says}"):
            Predictor.load(file)
        with pytest.raises(ModelError, match=says):
            Predictor(replace(bundle, graphs={GRAPH: file.read_bytes()}))


def test_a_graph_for_other_pixels(bundle: Bundle) -> None:
    other = some_bundle(some_classifier(), size=40)
    with pytest.raises(ModelError, match="other pixels"):
        Predictor(replace(bundle, graphs=other.graphs))


@pytest.mark.parametrize("content", [b"", b"junk" * 99, b"\x80\x04cos\nsystem\n(S'true'\ntR."])
def test_a_file_that_is_no_graph(content: bytes, bundle: Bundle, tmp_path: Path) -> None:
    file = tmp_path / "a.onnx"
    file.write_bytes(content)
    with pytest.raises(ModelError, match=r"a\.onnx: not"):
        Predictor.load(file)
    with pytest.raises(ModelError, match=r"model\.onnx: not"):
        Predictor(replace(bundle, graphs={GRAPH: content}))


def test_a_graph_of_ours_alone_is_not_enough(bundle: Bundle, tmp_path: Path) -> None:
    save_bundle(bundle, tmp_path / "model")
    with pytest.raises(ModelError, match="give the model folder"):
        Predictor.load(tmp_path / "model" / GRAPH)


def test_int8_where_there_is_none_names_the_verb(bundle: Bundle) -> None:
    with pytest.raises(ModelError, match="hemozoin export"):
        Predictor(bundle, "int8")


def test_the_graph_that_answers_is_the_one_asked_for(bundle: Bundle) -> None:
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
