"""Small pictures in every format and mode, and pictures that claim or contain too much."""

from __future__ import annotations

import io
import struct
import zlib
from random import Random

import numpy as np
import pillow_heif
from PIL import Image, ImageCms

from hemozoin.data.decoding.formats import FORMATS
from tests.conftest import encoded

#: How each mode of Pillow is saved.
_MODES = {
    **{"1": ("PNG", "TIFF", "BMP", "GIF", "PPM"), "L": ("PNG", "JPEG", "TIFF", "BMP", "PPM")},
    **{"LA": ("PNG", "TIFF", "WEBP"), "RGBA": ("PNG", "TIFF", "WEBP", "AVIF", "BMP")},
    **{"P": ("PNG", "TIFF", "BMP", "GIF"), "CMYK": ("TIFF", "JPEG"), "F": ("TIFF",)},
    **{"I;16": ("PNG", "TIFF"), "I": ("TIFF",), "YCbCr": ("TIFF", "JPEG"), "LAB": ("TIFF",)},
}

_TIFF = ("tiff_lzw", "jpeg", "tiff_adobe_deflate", "packbits", "lzma", "zstd")

#: Sides that are hard to handle.
_SIDES = (1, 2, 7, 8, 9, 199, 200, 1000, 4000, 8000, 10_000, 10_001, 40_000, 65_535, 2**31 - 1)

#: What is no picture, whatever it is called.
OTHER_FILES = (
    b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n%%EndComments\n{ } loop",
    b"%!PS\n(%stdout) (w) file (1.png,parasitized,1\\n) writestring",
    b"\xc5\xd0\xd3\xc6" + struct.pack("<7I", 32, 99, 0, 0, 0, 0, 0) + b"%!PS\n{ } loop",
    b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>",
    b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "&c;&c;">]><svg xmlns="x"><image/></svg>',
    b'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="x"><image xlink:href="http://a.b/"/>',
    b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(99),
    b"\xff\x4f\xff\x51" + bytes(99),
    *(b"\0\0\0\x18ftypheic" + bytes(99), b"8BPS\0\1" + bytes(99), b"#!/bin/sh\ntouch /tmp/a\n"),
    *(b"GIMP", b"\x1f\x8b\x08" + bytes(99), b"PK\3\4" + bytes(99), b"\xd7\xcd\xc6\x9a" + bytes(99)),
    *(b"SIMPLE  =                    T", b"\x89HDF\r\n\x1a\n" + bytes(99), b"DDS " + bytes(199)),
    *(b"", b"\0", b"\n", b"\xff" * 5000, b"P", b"BM", b"GIF89a", b"RIFF\0\0\0\0WEBP", b"II*\0"),
)


def seeds(picture: Image.Image) -> list[bytes]:
    """Return a picture in every format, and in some of them in several ways and modes."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a cell"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    more = {"save_all": True, "append_images": [picture]}
    return [
        *(encoded(picture, form) for form in FORMATS),
        *(encoded(picture, "TIFF", compression=compression) for compression in _TIFF),
        *(
            encoded(_in_mode(picture, mode), form)
            for mode, forms in _MODES.items()
            for form in forms
        ),
        encoded(picture, "JPEG", progressive=True, exif=exif, icc_profile=profile),
        encoded(picture, "PNG", exif=exif, icc_profile=profile, dpi=(300, 300)),
        encoded(picture, "WEBP", lossless=True, exif=exif, icc_profile=profile),
        encoded(picture, "TIFF", exif=exif, icc_profile=profile),
        encoded(picture.convert("P"), "PNG", transparency=3),
        encoded(picture.convert("1"), "TIFF", compression="group4"),
        encoded(picture.convert("1"), "TIFF", compression="group3"),
        *(encoded(picture, form, **more) for form in ("MPO", "PNG", "TIFF", "WEBP", "GIF", "AVIF")),
        *(run_length_encoded(), interlaced(), b"P3 9 9 255 " + b"200 100 150 " * 81),
        *(b"P6\n9 9\n65535\n" + bytes(486), b"P5 # a\n 9\n9 255 " + bytes(81)),
        tiled(picture),
        *(heic(picture.convert(mode)) for mode in ("RGB", "RGBA", "L")),
    ]


def _in_mode(picture: Image.Image, mode: str) -> Image.Image:
    if mode == "I;16":
        return Image.fromarray(np.asarray(picture.convert("L"), np.uint16) * 200)
    if mode == "LAB":
        srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        return ImageCms.profileToProfile(picture, srgb, lab, outputMode="LAB") or picture
    return picture.convert(mode)


def heic(picture: Image.Image) -> bytes:
    """Return a picture as a phone saves it."""
    buffer = io.BytesIO()
    pillow_heif.from_pillow(picture).save(buffer, quality=60)
    return buffer.getvalue()


def run_length_encoded() -> bytes:
    """Return a BMP of 40x40 px, packed with run lengths."""
    body = (b"\x28\x05\0\0" * 40) + b"\0\1"
    sizes = struct.pack("<IiiHHIIiiII", 40, 40, 40, 1, 8, 1, len(body), 0, 0, 256, 0)
    header = b"BM" + struct.pack("<IHHI", 1078 + len(body), 0, 0, 1078)
    return header + sizes + bytes(range(256)) * 4 + body


def interlaced() -> bytes:
    """Return a PNG of 16x16 px, interlaced, with transparency and several IDAT chunks."""
    rows = b"".join(
        (b"\0" + bytes(range(100, 100 + width))) * height
        for width, height in ((2, 2), (2, 2), (4, 2), (4, 4), (8, 4), (8, 8), (16, 8))
    )
    packed = zlib.compress(rows)
    return png_of(
        *((16, 16), 8, 0),
        [(b"tRNS", b"\0\x70"), *((b"IDAT", packed[k : k + 9]) for k in range(0, len(packed), 9))],
        interlace=1,
    )


def tiled(picture: Image.Image) -> bytes:
    """Return a TIFF in one tile, without compression."""
    pixels = picture.convert("RGB").resize((64, 64)).tobytes()
    return tiff_of(
        {256: 64, 257: 64, 258: 8, 259: 1, 262: 2, 277: 3, 322: 64, 323: 64, 324: 8},
        {325: len(pixels)},
        pixels,
    )


def png_of(
    size: tuple[int, int],
    depth: int,
    color: int,
    chunks: list[tuple[bytes, bytes]],
    interlace: int = 0,
) -> bytes:
    """Return a PNG of these chunks."""
    header = struct.pack(">IIBBBBB", *size, depth, color, 0, 0, interlace)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I4s", len(data), name) + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in [(b"IHDR", header), *chunks, (b"IEND", b"")]
    )


def tiff_of(tags: dict[int, int], more: dict[int, int], data: bytes) -> bytes:
    """Return a little-endian TIFF of one page with these tags, all of type LONG; data from 8 on."""
    entries = sorted((tags | more).items())
    directory = struct.pack("<H", len(entries)) + b"".join(
        struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries
    )
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + directory + bytes(4)


def excessive(rng: Random) -> bytes:
    """Return a small file that claims, or contains, too much: pixels, text, frames, parts."""
    width, height = rng.choice(_SIDES), rng.choice(_SIDES)
    color, depth = rng.choice([(0, 1), (0, 8), (0, 16), (2, 8), (2, 16), (3, 8), (4, 8), (6, 16)])
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color]
    how = rng.randrange(6)
    if how == 0:  # so many zeros that all pixels are there, if they are not too many
        bytes_of_all = min((width * samples * depth // 8 + 1) * height, 400_000_000)
        packed = _zeros(bytes_of_all)
        palette = [(b"PLTE", bytes(rng.choice([3, 768])))] if color == 3 else []
        chunks = [*palette, (b"IDAT", packed)]
        return png_of((width, height), depth, color, chunks, rng.choice([0, 0, 1]))
    if how == 1:  # text and profiles that are bombs
        bomb = _zeros(rng.choice([10**6, 10**8]))
        name = rng.choice([b"zTXt", b"iCCP", b"iTXt"])
        data = b"a\0\1\0\0\0" + bomb if name == b"iTXt" else b"a\0\0" + bomb
        pixels = zlib.compress(bytes(61 * 60))
        return png_of((60, 60), 8, 0, [(name, data)] * rng.choice([1, 20]) + [(b"IDAT", pixels)])
    if how == 2:  # a TIFF that claims anything
        tags = {256: width, 257: height, 258: depth, 259: rng.choice([1, 5, 7, 8, 32773, 50000])}
        tags |= {262: rng.choice([0, 1, 2, 3, 5, 6]), 273: 8, 277: samples, 278: rng.choice(_SIDES)}
        tiles = {322: rng.choice(_SIDES), 323: rng.choice(_SIDES), 324: 8, 325: 1000}
        return tiff_of(tags | {279: 1000}, tiles if rng.random() < 0.4 else {}, rng.randbytes(1000))
    if how == 3:  # a GIF or a PPM that claims anything
        short = width % 65536, height % 65536
        gif = b"GIF89a" + struct.pack("<HHBBB", *short, 0x80, 0, 0) + bytes(6)
        gif += b"," + struct.pack("<HHHHB", 0, 0, *short, 0) + b"\2\4\x84\x8f\xa9\5\0;"
        return rng.choice(
            [gif, b"%s %d %d 255\n" % (rng.choice([b"P6", b"P3", b"P4"]), width, height)]
        )
    if how == 4:  # pictures of one colour, within the limits or just beyond them
        side = rng.choice([(1, 10_000), (10_000, 8), (8000, 8000), (6000, 5000), (9000, 3500)])
        mode = rng.choice(["1", "L", "RGB", "RGBA"])
        return encoded(Image.new(mode, side), rng.choice(["PNG", "TIFF"]), **_deflated(rng))
    buffer = io.BytesIO()  # many frames
    frames = [Image.new("P", (9, 9), number % 255) for number in range(rng.choice([2, 300]))]
    form = rng.choice(["GIF", "TIFF", "PNG", "WEBP"])
    frames[0].save(buffer, form, save_all=True, append_images=frames[1:])
    return buffer.getvalue()


def _zeros(count: int) -> bytes:
    packer, part = zlib.compressobj(), bytes(2**20)
    packed = [packer.compress(part) for _ in range(count // 2**20)]
    return b"".join([*packed, packer.compress(bytes(count % 2**20)), packer.flush()])


def _deflated(rng: Random) -> dict[str, object]:
    return {"compression": "tiff_adobe_deflate"} if rng.random() < 0.9 else {}
