"""Pictures of one cell for `predict`, and of a field for `screen`."""

from __future__ import annotations

import csv
import io
import os
import zipfile
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from hemozoin.arrays import Pixels
from tests.conftest import SHARED, draw_cell, encoded
from tests.fuzz import formats, mutations
from tests.fuzz.oracles import Case
from tests.fuzz.seeds import OTHER_FILES, excessive, seeds
from tests.support.commands import Outcome
from tests.support.smears import make_fields

#: Ends of names: an ending says nothing about the format.
_ENDINGS = (".png", ".jpg", ".tif", ".tiff", ".bmp", ".gif", ".webp", ".ppm", " b.PNG")

#: Pictures for each command: to open the network takes longer than to predict one of them.
_AT_ONCE = 10

#: Pixels of a picture that is not changed again: to write a larger one takes seconds.
_MANY_PIXELS = 500_000

#: Files that are no regular ones.
_DEVICES = ("/dev/zero", "/dev/urandom", "/dev/full", "/dev/tty", "/dev/stdin")


class Cells:
    """Ten pictures are given to `predict`: a row of each, with a decision or an error."""

    total = None

    def __init__(self, folder: Path) -> None:
        cells = [draw_cell(np.random.default_rng(k), infected=bool(k)) for k in range(2)]
        self._cells, self._seeds = cells, [seed for cell in cells for seed in seeds(cell)]

    def __call__(self, case: Case) -> None:
        case.inputs = _AT_ONCE
        for number in range(_AT_ONCE):
            write_picture(case, self._cells, self._seeds, name=str(number))
        odd = [path for path in sorted(case.folder.iterdir()) if not path.is_file()]
        for path in odd[:1]:
            require_rows(case.run("predict", path), 0)
        require_rows(case.run("predict", case.folder), _AT_ONCE)


class RealCells(Cells):
    """The same with NLM's cells."""

    def __init__(self, folder: Path) -> None:
        with zipfile.ZipFile(SHARED / "cell_images_dev.zip") as archive:
            names = sorted(name for name in archive.namelist() if name.endswith((".png", ".webp")))
            files = [archive.read(name) for name in names[:: len(names) // 4]]
        self._cells = [Image.open(io.BytesIO(file)).convert("RGB") for file in files]
        self._seeds = [seed for cell in self._cells for seed in seeds(cell)]


class Fields:
    """Each picture is given to `screen`: one row in fields.csv, with counts or an error."""

    total = None

    def __init__(self, folder: Path) -> None:
        names = ["1.png", "2.png"]
        make_fields(folder, *names)
        self._fields = [Image.open(folder / name).convert("RGB") for name in names]
        self._seeds = [seed for field in self._fields for seed in seeds(field)]

    def __call__(self, case: Case) -> None:
        path, out = write_picture(case, self._fields, self._seeds, 0.5), case.folder / "out"
        options = ["--coco"] if case.rng.random() < 0.2 else []
        outcome = case.run("screen", path, "--out", out, *options)
        if (out / "fields.csv").exists():
            rows = [*csv.DictReader(io.StringIO((out / "fields.csv").read_text("utf-8")))]
            assert len(rows) == 1, rows
            assert "internal error" not in rows[0]["error"], rows
            assert outcome.code == 2 or not rows[0]["error"], rows


class RealFields(Fields):
    """The same with photographed fields, at half their size."""

    def __init__(self, folder: Path) -> None:
        files = [next(iter(sorted((SHARED / "fields" / name).glob("*.[Jj]*")))) for name in _SETS]
        opened = [Image.open(file).convert("RGB") for file in files]
        self._fields = [ImageOps.scale(field, 0.5) for field in opened]
        self._seeds = [seed for field in self._fields for seed in seeds(field)]


#: Sets of photographed fields.
_SETS = ("iml", "bccd")


def write_picture(
    case: Case,
    pictures: list[Image.Image],
    wholes: list[bytes],
    content: float = 0.2,
    name: str = "1",
) -> Path:
    """Write a file that is, was, or claims to be a picture; return its path.

    `content` is the share of pictures whose pixels are changed, and which can all be decoded.
    """
    rng, how = case.rng, case.rng.random()
    path = case.folder / f"{name}{rng.choice(_ENDINGS)}"
    if how < 0.01:
        os.mkfifo(path)
    elif how < 0.02:
        path.symlink_to(rng.choice(_DEVICES))
    elif how < 0.05:
        path.write_bytes(rng.choice(OTHER_FILES))
    elif how < 0.08:
        path.write_bytes(excessive(rng))
    elif how < 0.08 + content:
        path.write_bytes(other_pixels(rng.choice(pictures), rng))
    else:
        path.write_bytes(damaged(wholes, rng))
    return path


def damaged(wholes: list[bytes], rng: Random) -> bytes:
    """Return one of these files, damaged or edited."""
    whole, how = rng.choice(wholes), rng.random()
    if how < 0.45:
        return formats.edited(whole, wholes, rng)
    if how < 0.9:
        return mutations.mutated(whole, rng)
    return mutations.spliced(whole, rng.choice(wholes), rng)


def require_rows(outcome: Outcome, count: int) -> None:
    """Require this number of rows with an error, or with a decision and a probability."""
    if outcome.code == 2:  # nothing that could be a picture
        assert outcome.out == "", outcome.out
        return
    rows = [*csv.DictReader(io.StringIO(outcome.out))]
    assert len(rows) == count, outcome.out
    for row in rows:
        assert bool(row["error"]) != bool(row["decision"]), row
        assert row["error"] or (0 <= float(row["p_parasitized"]) <= 1), row


def other_pixels(picture: Image.Image, rng: Random) -> bytes:
    """Return a valid file whose pixels are those of the picture, changed, or are noise."""
    changed = picture
    for _ in range(rng.choice([1, 1, 2, 3])):
        if changed.width * changed.height < _MANY_PIXELS:
            changed = _changed(changed, rng)
    form = rng.choice(["PNG", "PNG", "JPEG", "TIFF", "BMP", "WEBP"])
    modes = {"PNG": ["L", "RGBA", "P", "1", "LA"], "TIFF": ["1", "L", "CMYK", "P", "RGBA"]}
    if form in modes and rng.random() < 0.4:
        changed = changed.convert(rng.choice(modes[form]))
    return encoded(changed, form)


def _changed(picture: Image.Image, rng: Random) -> Image.Image:
    """Return the picture after one of `_CHANGES`."""
    return rng.choice(_CHANGES)(picture, rng, np.random.default_rng(rng.getrandbits(32)))


def _drawn(picture: Image.Image, rng: Random, numbers: np.random.Generator) -> Image.Image:
    return Image.fromarray(_objects(rng, numbers))


def _noise(picture: Image.Image, rng: Random, numbers: np.random.Generator) -> Image.Image:
    shape = (picture.height, picture.width, 3)
    return Image.fromarray(numbers.integers(0, 256, shape, dtype=np.uint8))


def _inverted(picture: Image.Image, rng: Random, numbers: np.random.Generator) -> Image.Image:
    return ImageOps.invert(picture)


def _blurred(picture: Image.Image, rng: Random, numbers: np.random.Generator) -> Image.Image:
    return picture.filter(ImageFilter.GaussianBlur(rng.choice([1, 3, 20])))


def _scaled(picture: Image.Image, rng: Random, numbers: np.random.Generator) -> Image.Image:
    times = rng.choice([0.1, 0.3, 0.7, 1.5, 3.0])
    width, height = picture.size
    return picture.resize((max(1, int(width * times)), max(1, int(height * times))))


def _stretched(picture: Image.Image, rng: Random, numbers: np.random.Generator) -> Image.Image:
    width, height = picture.size
    return picture.resize(rng.choice([(width * 4, 9), (9, height * 4), (250, 900), (1, 1)]))


def _flat(picture: Image.Image, rng: Random, numbers: np.random.Generator) -> Image.Image:
    return Image.new("RGB", picture.size, rng.choice(["black", "white", "grey", "pink"]))


def _noisy(picture: Image.Image, rng: Random, numbers: np.random.Generator) -> Image.Image:
    pixels = np.asarray(picture)
    noisy = pixels + numbers.normal(0, rng.choice([5, 30, 100]), pixels.shape)
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def _speckled(picture: Image.Image, rng: Random, numbers: np.random.Generator) -> Image.Image:
    speckles = numbers.random((picture.height, picture.width, 1)) < rng.choice([0.01, 0.2])
    return Image.fromarray(np.where(speckles, np.uint8(0), np.asarray(picture)))


def _tiled(picture: Image.Image, rng: Random, numbers: np.random.Generator) -> Image.Image:
    times = rng.choice([2, 3])
    return Image.fromarray(np.tile(np.asarray(picture), (times, times, 1)))


def _cropped(picture: Image.Image, rng: Random, numbers: np.random.Generator) -> Image.Image:
    if min(picture.size) < 2:
        return picture
    left, right = sorted(rng.sample(range(picture.width + 1), 2))
    top, bottom = sorted(rng.sample(range(picture.height + 1), 2))
    return picture.crop((left, top, right, bottom))


def _posterized(picture: Image.Image, rng: Random, numbers: np.random.Generator) -> Image.Image:
    return ImageOps.posterize(picture, rng.choice([1, 2, 4]))


#: Changes of the pixels.
_CHANGES = [_drawn, _noise, _inverted, _blurred, _scaled, _stretched, _flat, _noisy, _speckled]
_CHANGES += [_tiled, _cropped, _posterized]


def _objects(rng: Random, numbers: np.random.Generator) -> Pixels:
    """Draw many objects: discs, rings, squares or dots of any size, at random or in a grid."""
    size = rng.choice([(320, 240), (640, 480), (1280, 960)])
    x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    step = rng.choice([3, 6, 12, 25, 60, 150])
    dx, dy = (x % step) / step - 0.5, (y % step) / step - 0.5
    radius = np.hypot(dx, dy)
    shapes = [radius < 0.35, abs(radius - 0.3) < 0.1, np.maximum(abs(dx), abs(dy)) < 0.3]
    shapes += [(x // step + y // step) % 2 == 0, x % step < step / 2]
    shapes += [numbers.random(x.shape) < rng.choice([0.01, 0.1, 0.5])]
    inside, outside = (numbers.integers(0, 256, 3) for _ in range(2))
    pixels = np.where(rng.choice(shapes)[..., None], inside, outside)
    noise = numbers.normal(0, rng.choice([0, 3, 30]), pixels.shape)
    return (pixels + noise).clip(0, 255).astype(np.uint8)
