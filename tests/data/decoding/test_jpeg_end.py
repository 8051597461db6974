"""A JPEG without its end mark is read where all its pixels are there, and refused otherwise."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from hemozoin.data.picture import decode, decode_cell
from hemozoin.errors import DataError

OPTIONS: list[dict[str, object]] = [{}, {"progressive": True}, {"restart_marker_rows": 2}]


def jpeg(options: dict[str, object]) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).resize((240, 180)).save(buffer, "JPEG", quality=90, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("missing", [1, 2])
def test_without_its_end_mark_it_is_the_same_picture(
    options: dict[str, object], missing: int
) -> None:
    data = jpeg(options)
    assert data.endswith(b"\xff\xd9")
    for function in (decode, decode_cell):
        found = np.asarray(function(data[:-missing]))
        assert np.array_equal(found, np.asarray(decode(data)))


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("missing", [3, 5, 40, 2000])
def test_without_some_of_its_pixels_it_is_refused(options: dict[str, object], missing: int) -> None:
    with pytest.raises(DataError, match="not a readable picture"):
        decode(jpeg(options)[:-missing])
