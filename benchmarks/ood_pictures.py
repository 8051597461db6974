"""Pictures that do not show a red cell, by kind, to test the out-of-distribution detector.

A kind is in TUNED if it was used to choose the detector's measures and their ranges; the others
were only tested.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib
import numpy as np
import skimage
import sklearn
from PIL import Image, ImageDraw, ImageFont

from hemozoin.synthetic.canvas import Rng

Picture = Image.Image

TUNED = {
    "photos (6 pictures)",
    "retina",
    "noise, uniform",
    "noise, Gaussian around a colour",
    "noise, smooth",
    "text, lines",
    "blank",
    "gradient",
    "checkerboard",
    "rectangle",
    "ring",
    "sketch",
    "many cells on black",
    "quarter of a cell",
    "cell, inverted",
    "cell, green for red",
    "cell, blue for red",
    "cell, blurred to 4 px",
    "field, iml",
    "part of a field, iml",
    "red cells, iml",
    "red cells, bccd",
    "white cells, bccd",
}

_SKIMAGE = Path(skimage.__file__).parent / "data"
_OTHERS = (
    Path(sklearn.__file__).parent / "datasets" / "images",
    Path(matplotlib.__file__).parent / "mpl-data" / "sample_data",
)
_FONT = Path(matplotlib.__file__).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"

#: Pictures that come with scikit-image, scikit-learn and matplotlib.
_PHOTOS = {
    "photos (6 pictures)": "astronaut chelsea brick camera clock_motion china",
    "photos (10 others)": "coffee grass gravel coins rocket moon hubble_deep_field horse flower"
    " grace_hopper",
    "retina": "retina microaneurysms",
    "tissue and phantom": "ihc cell phantom",
    "printed page": "page text",
}
_WORDS = ("malaria", "parasite", "density", "slide", "patient", "Giemsa", "thin", "film", "report")


def out_of_distribution_pictures(
    cells: list[Picture], seed: int = 0, each: int = 40
) -> dict[str, list[Picture]]:
    """Draw `each` pictures of every kind; some are made from `cells`, cells on black."""
    rng = np.random.default_rng(seed)
    kinds: dict[str, Callable[[], Picture]] = {**_drawn(rng), **_from_cells(rng, cells)}
    made = {kind: list(_crops(rng, names.split(), each)) for kind, names in _PHOTOS.items()}
    made["faces"] = [_array(255 * face) for face in np.load(_SKIMAGE / "lfw_subset.npy")[:each]]
    return made | {kind: [draw() for _ in range(each)] for kind, draw in kinds.items()}


def field_pictures(folder: Path, seed: int = 0, each: int = 40) -> dict[str, list[Picture]]:
    """Return whole microscope pictures, and random squares of 0.3 to 0.8 of their height."""
    rng, name = np.random.default_rng(seed), folder.name
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() == ".jpg")
    whole = [Image.open(file).convert("RGB") for file in files]
    parts = [_square(rng, whole[rng.integers(len(whole))], (0.3, 0.8)) for _ in range(each)]
    return {f"field, {name}": whole, f"part of a field, {name}": parts}


def _crops(rng: Rng, names: list[str], count: int) -> Iterator[Picture]:
    whole = [Image.open(_find(name)).convert("RGB") for name in names]
    yield from whole
    for _ in range(count - len(whole)):
        yield _square(rng, whole[rng.integers(len(whole))], (0.15, 1))


def _find(name: str) -> Path:
    return next(file for folder in (_SKIMAGE, *_OTHERS) for file in folder.glob(f"{name}.*"))


def _square(rng: Rng, picture: Picture, shares: tuple[float, float]) -> Picture:
    side = int(min(picture.size) * rng.uniform(*shares))
    x, y = (int(rng.integers(length - side + 1)) for length in picture.size)
    return picture.crop((x, y, x + side, y + side))


def _drawn(rng: Rng) -> dict[str, Callable[[], Picture]]:
    return {
        "noise, uniform": lambda: _array(rng.integers(0, 256, (*_size(rng), 3))),
        "noise, grey": lambda: _array(rng.integers(0, 256, _size(rng))),
        "noise, Gaussian around a colour": lambda: _array(
            rng.normal(rng.uniform(60, 220, 3), rng.uniform(8, 40), (*_size(rng), 3))
        ),
        "noise, pepper": lambda: _array(200.0 * (rng.random(_size(rng)) > 0.2)),
        "noise, smooth": lambda: _smooth(rng, int(rng.integers(4, 16))),
        "noise, smooth in two sizes": lambda: Image.blend(_smooth(rng, 5), _smooth(rng, 40), 0.5),
        "blank": lambda: _blank(rng),
        "gradient": lambda: _mixed(rng, lambda x, y: x if rng.random() < 0.5 else y),
        "halo": lambda: _mixed(rng, lambda x, y: 1.4 * np.hypot(x - 0.5, y - 0.5)),
        "checkerboard": lambda: _mixed(rng, _checks(int(rng.integers(3, 20)))),
        "stripes": lambda: _mixed(rng, _stripes(int(rng.integers(3, 20)))),
        "text, lines": lambda: _text(rng, int(rng.integers(10, 18)), 12),
        "text, a word": lambda: _text(rng, int(rng.integers(24, 60)), 1),
        "text on black": lambda: _text(rng, int(rng.integers(10, 18)), 12, "black"),
        "rectangle": lambda: _shape(rng, lambda pen, w, h, c: pen.rectangle((9, 9, w, h), c)),
        "ring": lambda: _shape(
            rng, lambda pen, w, h, c: pen.ellipse((2, 2, w, h), outline=c, width=w // 6)
        ),
        "triangle": lambda: _shape(
            rng, lambda pen, w, h, c: pen.polygon([(w / 2, 0), (w, h), (0, h)], c)
        ),
        "plain disc": lambda: _shape(rng, lambda pen, w, h, c: pen.ellipse((0, 0, w, h), c)),
        "sketch": lambda: _sketch(rng),
    }


def _from_cells(rng: Rng, cells: list[Picture]) -> dict[str, Callable[[], Picture]]:
    def one() -> Picture:
        return cells[rng.integers(len(cells))]

    def changed(
        change: Callable[[np.ndarray[tuple[int, ...], np.dtype[np.float64]]], object],
    ) -> Picture:
        pixels = np.asarray(one(), np.float64)
        inside = pixels.max(axis=2, keepdims=True) > 8
        return _array(np.asarray(change(pixels)) * inside)

    def side_by_side(columns: int, rows: int) -> Picture:
        sheet = Image.new("RGB", (columns * 105, rows * 105))
        for k in range(columns * rows):
            sheet.paste(one().resize((104, 104)), (k % columns * 105, k // columns * 105))
        return sheet

    return {
        "two cells on black": lambda: side_by_side(2, 1),
        "many cells on black": lambda: side_by_side(3, 3),
        "quarter of a cell": lambda: _quarter(one()),
        "cell, blurred to 4 px": lambda: _blurred(one()),
        "cell, noisy": lambda: changed(lambda v: v + rng.normal(0, 60, v.shape)),
        "cell, grey": lambda: one().convert("L").convert("RGB"),
        "cell, inverted": lambda: changed(lambda v: 255 - v),
        "cell, green for red": lambda: changed(lambda v: v[..., [1, 0, 2]]),
        "cell, blue for red": lambda: changed(lambda v: v[..., [2, 1, 0]]),
    }


def _quarter(cell: Picture) -> Picture:
    return cell.crop((0, 0, cell.width // 2, cell.height // 2))


def _blurred(cell: Picture) -> Picture:
    return cell.resize((4, 4)).resize(cell.size)


def _array(values: object) -> Picture:
    return Image.fromarray(np.clip(np.asarray(values), 0, 255).astype(np.uint8)).convert("RGB")


def _size(rng: Rng) -> tuple[int, int]:
    height, width = rng.integers(60, 220, 2)
    return int(height), int(width)


def _colour(rng: Rng) -> tuple[int, ...]:
    return tuple(int(value) for value in rng.integers(0, 256, 3))


def _blank(rng: Rng) -> Picture:
    return Image.new("RGB", _size(rng), _colour(rng))


def _smooth(rng: Rng, blobs: int) -> Picture:
    return _array(rng.integers(0, 256, (blobs, blobs, 3))).resize((150, 140), 3)


def _mixed(rng: Rng, share: Callable[..., object]) -> Picture:
    """Mix two colours by a share of x and y, each in 0..1."""
    height, width = _size(rng)
    y, x = np.mgrid[:height, :width] / [[[height]], [[width]]]
    first, second = (np.array(_colour(rng)) for _ in range(2))
    return _array(first + (second - first) * np.asarray(share(x, y))[..., None])


def _checks(count: int) -> Callable[..., object]:
    return lambda x, y: ((x * count).astype(int) + (y * count).astype(int)) % 2


def _stripes(count: int) -> Callable[..., object]:
    return lambda x, y: (x * count).astype(int) % 2


def _text(rng: Rng, height: int, lines: int, paper: str = "white") -> Picture:
    picture = Image.new("RGB", _size(rng), paper)
    words = "\n".join(" ".join(rng.choice(_WORDS, 6)) for _ in range(lines))
    ink = "white" if paper == "black" else "black"
    font = ImageFont.truetype(str(_FONT), height)
    ImageDraw.Draw(picture).multiline_text((2, 2), words, ink, font)
    return picture


def _shape(rng: Rng, draw: Callable[..., object]) -> Picture:
    picture = Image.new("RGB", _size(rng), "black" if rng.random() < 0.5 else "white")
    draw(ImageDraw.Draw(picture), picture.width - 2, picture.height - 2, _colour(rng))
    return picture


def _sketch(rng: Rng) -> Picture:
    picture = Image.new("RGB", _size(rng), "white")
    for _ in range(rng.integers(5, 25)):
        line = [tuple(point) for point in (rng.random((3, 2)) * picture.size).tolist()]
        ImageDraw.Draw(picture).line(line, _colour(rng), int(rng.integers(1, 5)))
    return picture
