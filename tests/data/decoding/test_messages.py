"""Messages of the decoders are in the error of their picture, and nowhere else."""

from __future__ import annotations

import io
import random
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest
from PIL import Image

from hemozoin.data.decoding import messages
from hemozoin.data.decoding.messages import collected_messages
from hemozoin.data.picture import decode
from hemozoin.errors import DataError
from tests.conftest import encoded
from tests.support.commands import start

pytestmark = pytest.mark.skipif(not messages._HANDLERS, reason="libtiff can't be reached")

NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8))

#: For each compression, what libtiff says about a picture whose pixels are damaged.
DAMAGED = {"tiff_lzw": "LZW|code", "tiff_adobe_deflate": "incorrect data check|corrupt|Decoding"}


@cache
def damaged(compression: str) -> bytes:
    """Return a damaged TIFF. Only one thread may save a picture: Pillow keeps the options in it."""
    data = bytearray(encoded(NOISE, "TIFF", compression=compression))
    data[1000:1010] = bytes(10)
    data[20:30] = b"\xff" * 10
    return bytes(data)


def reason(compression: str) -> str:
    with pytest.raises(DataError) as refused:
        decode(damaged(compression), "1.tif")
    return str(refused.value)


@pytest.mark.parametrize("compression", DAMAGED)
def test_libtiffs_message_is_in_the_error(
    compression: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(DataError, match=f"not a readable picture .*({DAMAGED[compression]})"):
        decode(damaged(compression), "1.tif")
    assert capfd.readouterr() == ("", "")


def test_each_thread_has_its_own_messages(capfd: pytest.CaptureFixture[str]) -> None:
    expected = {compression: reason(compression) for compression in DAMAGED}
    assert len(set(expected.values())) == len(DAMAGED)
    barrier = Barrier(len(DAMAGED))

    def many(compression: str) -> set[str]:
        barrier.wait()
        return {reason(compression) for _ in range(200)}

    with ThreadPoolExecutor() as pool:
        found = dict(zip(DAMAGED, pool.map(many, DAMAGED), strict=True))
    assert found == {compression: {text} for compression, text in expected.items()}
    assert capfd.readouterr() == ("", "")


def test_other_uses_of_pillow_print_as_before(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(OSError, match="decoder error"):
        Image.open(io.BytesIO(damaged("tiff_lzw"))).load()
    assert "code" in capfd.readouterr().err


def test_warnings_are_printed_only_outside() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        messages._hide_warnings()  # pytest has removed it
        with collected_messages():
            warnings.warn("inside", stacklevel=1)
        warnings.warn("outside", stacklevel=1)
    assert [str(warning.message) for warning in caught] == ["outside"]


@pytest.mark.slow
def test_the_command_prints_nothing_about_damaged_pictures(tmp_path: Path) -> None:
    rng, folder = random.Random(0), tmp_path / "cells"
    folder.mkdir()
    for compression in (None, "tiff_lzw", "jpeg", "tiff_adobe_deflate", "packbits"):
        whole = encoded(NOISE, "TIFF", compression=compression)
        for number in range(40):
            data = bytearray(whole)
            for _ in range(3):
                data[rng.choice((rng.randrange(300), -1 - rng.randrange(300)))] = rng.randrange(256)
            (folder / f"{compression}_{number}.tif").write_bytes(data)
    with start("predict", folder) as process:
        out, err = process.communicate()
    assert process.returncode == 0
    assert out.count("not a readable picture") > 50
    assert err.replace("pictures without a single cell in the middle", "").count("\n") <= 1, err
