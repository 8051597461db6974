"""Only pictures in known formats are opened; no file starts another program."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import pytest
from PIL import EpsImagePlugin, Image

from hemozoin.data.decoding.formats import FORMATS, HEAD_BYTES, format_of, head_of, why_refused
from hemozoin.data.picture import cell_from_image, decode, decode_cell, rgb_from_image
from hemozoin.errors import DataError
from hemozoin.smear.picture import decode_field
from tests.conftest import encoded
from tests.support.commands import hemozoin
from tests.support.smears import make_fields

ENDLESS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 300 300\n%%EndComments\n{ } loop\n"

#: A PostScript file after the header that Windows programs write.
DOS = b"\xc5\xd0\xd3\xc6" + (32).to_bytes(4, "little") + len(ENDLESS).to_bytes(4, "little")
DOS += bytes(20) + ENDLESS


EXPORT = "export it as TIFF, PNG or JPEG"
FIJI = "open it in Fiji or the microscope's program and save the plane in focus as PNG or TIFF"
OFFICE = b"PK\x03\x04\x14\0\x06\0[Content_Types].xml"
OFFICE_REASON = "a Word, PowerPoint or Excel file; save its pictures as PNG"


@pytest.fixture
def ghostscript(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Make Pillow believe that Ghostscript is installed; return the list of the programs run."""
    commands: list[object] = []

    def run(command: object, **options: object) -> None:
        commands.append(command)
        raise OSError("started")

    monkeypatch.setattr(EpsImagePlugin, "gs_binary", "gs")
    monkeypatch.setattr(subprocess, "check_call", run)
    monkeypatch.setattr(subprocess, "Popen", run)
    return commands


@pytest.mark.parametrize("data", [ENDLESS, DOS], ids=["Unix", "DOS"])
def test_postscript_is_never_run(data: bytes, ghostscript: list[object]) -> None:
    for function in (decode, decode_cell, decode_field):
        with pytest.raises(DataError) as refused:
            function(data, "1.png")
        assert str(refused.value) == (
            "1.png: not a readable picture (PostScript is never opened; save it as PNG)"
        )
    opened = Image.open(io.BytesIO(data))
    for convert in (cell_from_image, rgb_from_image):
        with pytest.raises(DataError, match="PostScript is never opened"):
            convert(opened)
    assert ghostscript == []


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["predict", "screen", "inspect", "train"])
def test_no_verb_runs_postscript(
    verb: str, tmp_path: Path, cells_folder: Path, ghostscript: list[object]
) -> None:
    if verb == "screen":
        make_fields(tmp_path / "fields", "0.png")
    folder = tmp_path / "fields" if verb == "screen" else cells_folder
    for old in (sorted(folder.rglob("*.png"))[0].parent, folder):
        (old / "1.png").write_bytes(ENDLESS)
    out = {"screen": ("--out", tmp_path / "out"), "train": ("--out", tmp_path / "out")}
    outcome = hemozoin(verb, folder, *out.get(verb, ()))
    assert outcome.code == (2 if verb == "train" else 0)
    table = tmp_path / "out" / "fields.csv"
    printed = table.read_text() if verb == "screen" else outcome.out + outcome.err
    assert "1.png: not a readable picture (PostScript is never opened; save it as PNG)" in printed
    assert ghostscript == []


def test_each_format_is_recognized_by_its_first_bytes() -> None:
    picture = Image.new("RGB", (16, 9), "red")
    for form in FORMATS:
        data = encoded(picture, form)
        assert format_of(data[:HEAD_BYTES]) == form
        assert decode(data).size == (16, 9)
    pair = encoded(picture, "MPO", save_all=True, append_images=[picture])
    assert format_of(pair) == "JPEG"
    assert decode(pair).size == (16, 9)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"%PDF-1.7", "PDF is never opened; save its pictures as PNG"),
        (b"<svg/>", "SVG is never opened; save it as PNG"),
        (b'<?xml version="1.0"?>\n<!-- -->\n<svg/>', "SVG is never opened; save it as PNG"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000 is not read; save it as PNG"),
        (b"II*\0\x10\0\0\0CR\x02\0", "a camera raw (Canon CR2, CR3); " + EXPORT),
        (b"\0\0\0\x18ftypcrx isom", "a camera raw (Canon CR2, CR3); " + EXPORT),
        (b"FUJIFILMCCD-RAW 0201", "a camera raw (RAF, ORF, RW2); " + EXPORT),
        (b"ZISRAWFILE\0\0\0", "Zeiss CZI is not read; " + FIJI),
        (b"\xda\xce\xbe\x0a\x10\0", "Nikon ND2 is not read; " + FIJI),
        (b"\x70\0\0\0\x20\0\0\0\x2a", "Leica LIF is not read; " + FIJI),
        (b"SIS\0\x40\0\0\0", "Olympus VSI/ETS is not read; " + FIJI),
        (bytes(128) + b"DICM", "DICOM is not read; " + EXPORT),
        (b"\0\0\0\x18ftypmp42", "a video (MP4); give single frames of it as PNG"),
        (b"\0\0\0\x14ftypqt  ", "a video (MOV); give single frames of it as PNG"),
        (b"RIFF\0\0\0\0AVI LIST", "a video (AVI); give single frames of it as PNG"),
        (b"\x1a\x45\xdf\xa3", "a video; give single frames of it as PNG"),
        (OFFICE + b"word/_rels/", OFFICE_REASON),
        (OFFICE + b"ppt/slides/", OFFICE_REASON),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
            "an Office file (or ZVI, OIB); save its pictures as PNG",
        ),
        (b"\x89PNG\r\n\x1a\n", "damaged PNG"),
        (b"some text", "unknown format; save it as PNG"),
    ],
)
def test_the_reason_for_a_refused_file(data: bytes, reason: str) -> None:
    assert why_refused(data) == reason
    with pytest.raises(DataError) as refused:
        decode(data, "1.png")
    if not reason.startswith("damaged"):
        assert str(refused.value) == f"1.png: not a readable picture ({reason})"


@pytest.mark.parametrize("form", ["JPEG2000", "TGA", "PCX", "SGI", "ICO", "DDS", "SPIDER"])
def test_other_formats_of_pillow_are_refused(form: str) -> None:
    mode = "F" if form == "SPIDER" else "RGB"
    with pytest.raises(DataError, match=r"unknown format|JPEG 2000 is not read"):
        decode(encoded(Image.new(mode, (16, 16)), form))


def test_only_the_head_of_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "long").write_bytes(b"x" * 5000)
    assert head_of(tmp_path / "long") == b"x" * HEAD_BYTES
    assert head_of(tmp_path) == head_of(tmp_path / "nowhere") == b""
