"""The picture of a TIFF is found among thumbnails, pyramids, labels, planes and raws."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from hemozoin.arrays import Pixels
from hemozoin.data.decoding.tiff_pages import picture_pages
from hemozoin.data.picture import decode, decode_cell
from hemozoin.errors import DataError
from hemozoin.smear.picture import decode_field
from tests.conftest import encoded
from tests.support.tiffs import Order, Page, Value, write_tiff

RNG = np.random.default_rng(0)
WHOLE = RNG.integers(1, 256, (240, 320, 3), dtype=np.uint8)
SMALL, LABEL = WHOLE[::4, ::4].copy(), np.zeros((60, 200, 3), np.uint8)
REDUCED = {254: 1}

#: Names and colours of channels, as OME writes them.
OME = '<?xml version="1.0"?><OME xmlns="x"><Image><Pixels>{}</Pixels></Image></OME>'


def pixels(data: bytes) -> Pixels:
    return np.asarray(decode_field(data, "1.tif"))


@pytest.mark.parametrize(("order", "big"), [("<", False), (">", False), ("<", True)])
@pytest.mark.parametrize(
    "pages",
    [
        [Page(WHOLE), Page(SMALL, REDUCED)],
        [Page(SMALL, REDUCED), Page(WHOLE)],
        [Page(SMALL, {255: 2}), Page(WHOLE, {255: 1})],
        [Page(WHOLE), Page(SMALL), Page(LABEL)],
        [Page(LABEL), Page(WHOLE)],
        [Page(WHOLE, below=[Page(WHOLE[::2, ::2].copy(), REDUCED), Page(SMALL, REDUCED)])],
        [Page(SMALL, REDUCED, below=[Page(WHOLE)])],
        [Page(WHOLE), Page(WHOLE[..., 0].copy(), {254: 4})],
        [Page(WHOLE, REDUCED)],
    ],
    ids=[
        *("thumbnail last", "thumbnail first", "old tags", "label", "label first"),
        *("pyramid", "picture below", "mask", "only one"),
    ],
)
def test_the_full_picture_is_read(pages: list[Page], order: Order, big: bool) -> None:
    data = write_tiff(*pages, order=order, big=big)
    assert (pixels(data) == WHOLE).all()


@pytest.mark.parametrize("compression", ["tiff_lzw", "jpeg"])
def test_a_compressed_picture_behind_a_thumbnail(compression: str) -> None:
    first, second = (Image.fromarray(array) for array in (SMALL, WHOLE))
    data = encoded(first, "TIFF", save_all=True, append_images=[second], compression=compression)
    assert decode(data).size == (320, 240)


@pytest.mark.parametrize("function", [decode, decode_cell, decode_field])
def test_a_stack_is_refused_with_the_way_on(
    function: Callable[[bytes, str], Image.Image],
) -> None:
    data = write_tiff(*[Page(WHOLE[..., 0].copy())] * 12)
    with pytest.raises(DataError) as refused:
        function(data, "1.tif")
    assert str(refused.value) == (
        "1.tif: has several pages: 12 planes of 320x240 pixels; give the one in focus: in Fiji,"
        " Image > Duplicate without the stack, then save it as PNG"
    )


def test_a_long_stack_is_not_read_to_its_end() -> None:
    data = write_tiff(*[Page(np.zeros((300, 300), np.uint8))] * 300)
    with pytest.raises(DataError, match="256 or more planes of 300x300"):
        decode(data)


def channels(*attributes: str) -> str:
    return OME.format("".join(f'<Channel ID="Channel:0:0" {one}/>' for one in attributes))


RGB: dict[str, dict[int, Value]] = {
    "names": {270: channels('Name="Red"', 'Name="Green"', 'Name="Blue"')},
    "letters": {270: channels('Name="R"', 'Name="G"', 'Name="B"')},
    "colours": {270: channels('Color="-16776961"', 'Color="16711935"', 'Color="65535"')},
}


@pytest.mark.parametrize("tags", RGB.values(), ids=RGB)
def test_three_channels_in_red_green_and_blue_are_one_picture(tags: dict[int, Value]) -> None:
    first, *others = (np.ascontiguousarray(WHOLE[..., channel]) for channel in range(3))
    data = write_tiff(Page(first, tags), *map(Page, others))
    assert (pixels(data) == WHOLE).all()


def test_pages_named_after_the_colours_are_one_picture() -> None:
    names = ("red", "green", "blue")
    planes = [np.ascontiguousarray(WHOLE[..., channel]) for channel in range(3)]
    data = write_tiff(*(Page(a, {285: b}) for a, b in zip(planes, names, strict=True)))
    assert (pixels(data) == WHOLE).all()


def test_channels_of_other_colours_are_a_stack() -> None:
    dapi = channels('Name="DAPI"', 'Name="GFP"', 'Name="Cy5"')
    data = write_tiff(Page(WHOLE[..., 0].copy(), {270: dapi}), *[Page(WHOLE[..., 0].copy())] * 2)
    with pytest.raises(DataError, match="has several pages: 3 planes of 320x240"):
        decode(data)


def test_channels_in_one_page_are_a_picture() -> None:
    separate = np.ascontiguousarray(WHOLE.transpose(2, 0, 1)).reshape(720, 320)
    size = 320 * 240
    tags: dict[int, Value] = {
        257: 240,
        258: [8] * 3,
        262: 2,
        277: 3,
        278: 240,
        284: 2,
        339: [1] * 3,
    }
    whole = write_tiff(Page(separate, tags))
    strip = whole.index(separate.tobytes())
    tags |= {273: [strip + n * size for n in range(3)], 279: [size] * 3}
    assert (pixels(write_tiff(Page(separate, tags))) == WHOLE).all()


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({262: 32803, 271: "NIKON CORPORATION"}, r"a camera raw \(Nikon\); export it as TIFF"),
        ({262: 34892, 271: "SONY"}, r"a camera raw \(Sony\)"),
        ({50706: [1]}, r"a camera raw \(DNG\)"),
        ({259: 33003, 270: "Aperio Image Library"}, r"a scan \(SVS, NDPI\); or export a part"),
        ({259: 34712}, "JPEG 2000 in a TIFF; or export a part"),
    ],
)
def test_what_is_a_tiff_by_its_form_only(tags: dict[int, Value], reason: str) -> None:
    with pytest.raises(DataError, match=f"^1.tif: {reason}"):
        decode(write_tiff(Page(WHOLE, tags)), "1.tif")


def test_a_raw_below_its_preview_is_refused() -> None:
    raw = Page(WHOLE[..., 0].copy(), {262: 32803})
    with pytest.raises(DataError, match="a camera raw"):
        decode(write_tiff(Page(SMALL, REDUCED, below=[raw])))


def test_other_data_and_damaged_pages_are_left_to_the_decoder() -> None:
    whole = write_tiff(Page(WHOLE), Page(SMALL, REDUCED))
    for data in (b"", b"II", b"II*\0", b"II*\0\xff\xff\xff\xff", whole[:-6], b"\x89PNG"):
        assert picture_pages(data, "1") == [data]
    ring = bytearray(write_tiff(Page(WHOLE)))
    ring[-4:] = ring[4:8]  # the next page is this one
    assert (pixels(bytes(ring)) == WHOLE).all()
