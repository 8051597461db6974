"""Photos in HEIC are read with the same limits as all others."""

from __future__ import annotations

import io
import random
import struct
import sys
import time

import numpy as np
import pytest
from PIL import Image

from hemozoin.data.decoding.formats import HEIF, format_of
from hemozoin.data.picture import decode, decode_cell
from hemozoin.errors import DataError
from hemozoin.smear.picture import decode_field
from tests.conftest import encoded
from tests.support.profiles import DISPLAY_P3, to_srgb, write_profile

#: Four colours, as a picture and as the colours of its quarters.
PICTURE = Image.new("RGB", (320, 240), (200, 140, 150))
PICTURE.paste((90, 50, 130), (0, 0, 160, 120))


def heic(picture: Image.Image = PICTURE, **options: object) -> bytes:
    pillow_heif = pytest.importorskip("pillow_heif")
    buffer = io.BytesIO()
    pillow_heif.from_pillow(picture).save(buffer, quality=90, **options)
    return buffer.getvalue()


def test_a_photo_is_read() -> None:
    data = heic()
    assert format_of(data[:1024]) == HEIF
    for function in (decode, decode_cell, decode_field):
        picture = function(data, "1.png")
        assert picture.size == (320, 240)
        assert abs(np.asarray(picture)[200, 200].astype(int) - (200, 140, 150)).max() < 6
        assert abs(np.asarray(picture)[50, 50].astype(int) - (90, 50, 130)).max() < 6


def test_it_is_turned_and_its_colours_are_converted() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = PICTURE.copy()
    turned.info |= {"exif": exif.tobytes(), "icc_profile": write_profile(DISPLAY_P3)}
    data = heic(turned)
    assert struct.unpack_from(">II", data, data.index(b"ispe") + 8) == (240, 320)
    picture = decode(data)
    assert picture.size == (320, 240)
    expected = to_srgb([200, 140, 150], DISPLAY_P3)
    assert abs(np.asarray(picture)[::239, ::319].astype(int) - expected).max(axis=2).min() < 6


def test_transparent_pixels_become_black_and_grey_is_grey() -> None:
    see_through = PICTURE.convert("RGBA")
    see_through.putalpha(0)
    assert np.asarray(decode(heic(see_through))).max() < 6
    grey = np.asarray(decode(heic(PICTURE.convert("L"))))
    assert abs(grey[..., 0].astype(int) - grey[..., 2]).max() <= 2


def test_the_main_picture_of_several_is_read() -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    several = pillow_heif.from_pillow(Image.new("RGB", (300, 300), "white"))
    several.add_from_pillow(PICTURE)
    buffer = io.BytesIO()
    several.save(buffer, primary_index=1)
    assert decode_field(buffer.getvalue()).size == (320, 240)


def test_without_the_extra_the_message_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = heic()
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(DataError) as refused:
        decode(data, "1.heic")
    assert str(refused.value) == (
        "1.heic: HEIC is read with one more package: pip install 'hemozoin[heic]'; or save it as"
        " JPEG or PNG"
    )


def test_the_formats_of_pillow_stay_as_they_are() -> None:
    decode(heic())
    Image.init()
    assert HEIF not in Image.OPEN


def test_avif_with_the_brand_of_heif_is_avif() -> None:
    data = encoded(PICTURE, "AVIF")
    assert data[4:12] == b"ftypavif"
    assert format_of(data.replace(b"ftypavif", b"ftypmif1", 1)[:1024]) == "AVIF"


def test_too_many_pixels_are_refused_before_they_are_decoded() -> None:
    data = bytearray(heic())
    at = data.index(b"ispe") + 8
    assert struct.unpack_from(">II", data, at) == (320, 240)
    struct.pack_into(">II", data, at, 30_000, 30_000)
    began = time.process_time()
    with pytest.raises(DataError, match=r"more than 64 million pixels|not a readable picture"):
        decode(bytes(data))
    assert time.process_time() - began < 1


@pytest.mark.slow
def test_a_damaged_photo_gives_a_picture_or_a_data_error(
    capfd: pytest.CaptureFixture[str],
) -> None:
    whole, rng = heic(), random.Random(0)
    for _ in range(400):
        data = bytearray(whole)
        for _ in range(rng.choice([1, 2, 10])):
            where = rng.choice([600, len(data)])
            data[rng.randrange(min(where, len(data)))] = rng.choice([0, 1, 255, rng.randrange(256)])
        if rng.random() < 0.2:
            del data[rng.randrange(len(data)) :]
        began = time.process_time()
        try:
            assert decode(bytes(data), "1.heic").mode == "RGB"
        except DataError as error:
            assert str(error).isprintable()
            assert len(str(error)) < 310
        assert time.process_time() - began < 5
    assert capfd.readouterr() == ("", "")
