from __future__ import annotations

import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hemozoin.arrays import Pixels, texts
from hemozoin.data import store
from hemozoin.data.index import index_cells
from hemozoin.data.picture import decode
from hemozoin.data.preprocess import Preprocessing, prepare, prepare_batch
from hemozoin.data.source import Entry, Source, open_source
from hemozoin.data.store import Store, decode_all, decode_batch, open_store
from hemozoin.errors import DataError
from hemozoin.threads import in_threads
from tests.conftest import make_cells, make_zip, png
from tests.support.tables import cells_of, columns_of

SMALL = Preprocessing(16)

#: More pictures than are decoded in advance.
AHEAD = 32 * (2 * (os.cpu_count() or 1) + 3)


def flat_cell(*colour: int) -> bytes:
    """Return a PNG of a square of one colour on black."""
    image = Image.new("RGB", (9, 9))
    image.paste(colour, (1, 1, 8, 8))
    return png(image)


class Drawn:
    """A source of one-coloured pictures: `7.png` is (7, 99, 99)."""

    path = Path("drawn")

    def __init__(self) -> None:
        self.hidden = set[str]()

    def walk(self) -> Iterator[Entry]:
        return iter(())

    def entries(self) -> list[Entry]:
        return []

    def read(self, name: str) -> bytes:
        number = int(name.split(".", maxsplit=1)[0])
        if name.endswith(".bad"):
            raise DataError(f"{name}: bad")
        if name.endswith(".bug"):
            raise ZeroDivisionError
        return flat_cell(number % 256, 99, 99)


class Uneven(Drawn):
    """The same, but some pictures take longer to read than others."""

    def read(self, name: str) -> bytes:
        time.sleep(random.Random(name).random() / 300)
        return super().read(name)


def opened(path: Path, preprocessing: Preprocessing = SMALL, allow: bool = False) -> Store:
    source = open_source(path)
    return open_store(source, index_cells(source), preprocessing, allow)


def decoded(path: Path, preprocessing: Preprocessing = SMALL) -> Pixels:
    """Return the same pixels without a store."""
    source = open_source(path)
    files = index_cells(source).file
    return np.stack([prepare(decode(source.read(file)), preprocessing) for file in files])


@pytest.fixture
def count(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect the names of the pictures that are decoded."""
    names: list[str] = []

    def counting(
        pictures: Sequence[tuple[Source, str]], preprocessing: Preprocessing
    ) -> list[Pixels | DataError]:
        names.extend(name for _, name in pictures)
        return decode_batch(pictures, preprocessing)

    monkeypatch.setattr(store, "decode_batch", counting)
    return names


def files_in(cache: Path) -> list[str]:
    return sorted(file.suffix for file in cache.iterdir()) if cache.exists() else []


def test_rows_are_the_cells_in_order_and_the_second_run_decodes_nothing(
    cells_zip: Path, cache: Path, count: list[str]
) -> None:
    first = opened(cells_zip)
    assert (first.pixels == decoded(cells_zip)).all()
    assert sorted(count) == first.cells.file.tolist()
    count.clear()
    second = opened(cells_zip)
    assert count == []
    assert columns_of(second.cells) == columns_of(first.cells)
    assert second.pixels.dtype == np.uint8
    assert (second.pixels == first.pixels).all()
    assert first.unreadable == second.unreadable == ()
    assert files_in(cache) == [".json", ".npy"]


def test_writing_to_the_pixels_does_not_reach_the_store(cells_zip: Path) -> None:
    first = opened(cells_zip)
    first.pixels[:] = 7
    assert (opened(cells_zip).pixels == decoded(cells_zip)).all()


def test_some_rows_in_another_order(cells_zip: Path) -> None:
    source = open_source(cells_zip)
    cells = index_cells(source)
    opened(cells_zip)
    rows = np.random.default_rng(0).permutation(len(cells))[::2]
    assert (open_store(source, cells.select(rows), SMALL).pixels == decoded(cells_zip)[rows]).all()


@pytest.mark.parametrize("preprocessing", [Preprocessing(17), Preprocessing(16, background=200)])
def test_another_preprocessing_is_another_store(
    cells_zip: Path, preprocessing: Preprocessing
) -> None:
    opened(cells_zip)
    assert (opened(cells_zip, preprocessing).pixels == decoded(cells_zip, preprocessing)).all()


def test_a_changed_an_added_and_a_removed_file_are_noticed(cells_folder: Path) -> None:
    before = opened(cells_folder)
    file = cells_folder / before.cells.file[5]
    times = file.stat()
    data = bytearray(flat_cell(255, 0, 0))
    file.write_bytes(data + bytes(times.st_size - len(data)))  # as large as before
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    changed = opened(cells_folder)
    assert (changed.pixels[5] == (255, 0, 0)).all()
    file.with_name("a_new_cell.png").write_bytes(data)
    assert (opened(cells_folder).pixels == decoded(cells_folder)).all()
    assert len(opened(cells_folder).pixels) == len(before.pixels) + 1
    file.unlink()
    assert (opened(cells_folder).pixels == decoded(cells_folder)).all()


def test_a_changed_zip_is_noticed(tmp_path: Path) -> None:
    make_cells(tmp_path / "cells.zip", seed=0)
    opened(tmp_path / "cells.zip")
    make_cells(tmp_path / "cells.zip", seed=1)
    assert (opened(tmp_path / "cells.zip").pixels == decoded(tmp_path / "cells.zip")).all()


def test_a_zip_with_the_same_directory_but_other_bytes(tmp_path: Path, cache: Path) -> None:
    """No other cell is used: the key has the CRC-32 of each cell, and so has each read cell."""
    path = make_cells(tmp_path / "cells.zip")
    before, name = np.array(opened(path).pixels), str(index_cells(open_source(path)).file[0])
    original = open_source(path).read(name)
    other = png(Image.open(io.BytesIO(original)).transpose(Image.Transpose.ROTATE_180))
    changed = other[: len(original)].ljust(len(original), b"\0")
    path.write_bytes(path.read_bytes().replace(original, changed))
    assert (opened(path).pixels == before).all()
    shutil.rmtree(cache)
    with pytest.raises(DataError, match=r"1 of 48 .*Bad CRC-32"):
        opened(path)


def test_without_a_home_the_store_is_in_a_temporary_folder(
    cells_zip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for a user in a container that the system doesn't know."""

    def unknown(number: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {number}")

    for variable in ("HEMOZOIN_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(store, "_temporary_folder", store._temporary_folder.__wrapped__)
    removed: list[Path] = []
    monkeypatch.setattr("atexit.register", lambda act, folder, **_: removed.append(folder))
    assert (opened(cells_zip).pixels == decoded(cells_zip)).all()
    (folder,) = removed
    assert folder.parent == tmp_path
    assert files_in(folder) == [".json", ".npy"]


def damage_truncate(npy: Path) -> None:
    os.truncate(npy, npy.stat().st_size - 1)


def damage_empty(npy: Path) -> None:
    npy.write_bytes(b"")


def damage_garbage(npy: Path) -> None:
    npy.write_bytes(os.urandom(npy.stat().st_size))


def damage_shape(npy: Path) -> None:
    np.save(npy, np.load(npy)[:-1])


def damage_type(npy: Path) -> None:
    np.save(npy, np.load(npy).astype(np.int8))


def damage_json_cut(npy: Path) -> None:
    npy.with_suffix(".json").write_text('{"3')


def damage_json_other(npy: Path) -> None:
    npy.with_suffix(".json").write_text("[1, 2]")


def damage_json_nested(npy: Path) -> None:
    npy.with_suffix(".json").write_text("[" * 100_000)


def damage_json_old(npy: Path) -> None:
    npy.with_suffix(".json").write_text("{}")


def damage_json_more(npy: Path) -> None:
    change_json(npy, unreadable={"3": "a.png: unreadable"})


def damage_json_row(npy: Path) -> None:
    change_json(npy, unreadable={"99": "a.png: unreadable"})
    np.save(npy, np.load(npy)[:-1])


def damage_json_checksum(npy: Path) -> None:
    change_json(npy, crc32=None)


def damage_zeros(npy: Path) -> None:
    """Half of the file is zeros, as after a power cut on some file systems."""
    half = npy.stat().st_size // 2
    npy.write_bytes(npy.read_bytes()[:half] + bytes(half))


def damage_bit(npy: Path) -> None:
    content = bytearray(npy.read_bytes())
    content[-1000] ^= 1
    npy.write_bytes(content)


def change_json(npy: Path, **values: object) -> None:
    path = npy.with_suffix(".json")
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def damage_json_gone(npy: Path) -> None:
    npy.with_suffix(".json").unlink()


@pytest.mark.slow
@pytest.mark.parametrize("damage", [f for n, f in list(globals().items()) if n[:7] == "damage_"])
def test_a_damaged_store_is_rebuilt(cells_zip: Path, cache: Path, damage: object) -> None:
    opened(cells_zip)
    (npy,) = cache.glob("*.npy")
    assert callable(damage)
    damage(npy)
    assert (opened(cells_zip).pixels == decoded(cells_zip)).all()
    assert np.load(npy).shape == (48, 16, 16, 3)


# ---- unreadable pictures -----------------------------------------------------------------------


def with_bad(tmp_path: Path, cells: int, bad: list[int]) -> Path:
    """Return a zip of cells, half of each class, of which the rows `bad` are not pictures."""
    names = [f"Parasitized/{n:04}.png" for n in range(cells // 2)]
    names += [f"Uninfected/{n:04}.png" for n in range(cells // 2, cells)]
    pictures = {name: b"x" if n in bad else flat_cell(n, 99, 99) for n, name in enumerate(names)}
    return make_zip(tmp_path / "cells.zip", pictures)


@pytest.mark.parametrize(
    ("cells", "bad", "allowed"),
    [(100, 1, True), (100, 2, False), (98, 1, False), (200, 2, True), (198, 2, False)],
)
def test_one_percent_may_be_unreadable(
    tmp_path: Path,
    cache: Path,
    capsys: pytest.CaptureFixture[str],
    cells: int,
    bad: int,
    allowed: bool,
) -> None:
    path = with_bad(tmp_path, cells, rows := [3, cells - 1][:bad])
    if not allowed:
        with pytest.raises(DataError, match=f"{bad} of {cells} .*0003.png: .*--allow-unreadable"):
            opened(path)
        assert (
            files_in(cache) == []
        )  # the next call reads the pictures again, in case a file server was down
        return
    for _ in range(2):  # built, then from the cache
        result = opened(path)
        kept = [n for n in range(cells) if n not in rows]
        assert result.cells.cell.tolist() == [f"{n:04}" for n in kept]
        assert (result.pixels[:, 8, 8, 0] == kept).all()
        assert len(result.unreadable) == bad
        assert "skipped: Parasitized/0003.png: not a readable" in capsys.readouterr().err


def test_more_may_be_unreadable_if_allowed_but_not_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = with_bad(tmp_path, 40, bad := list(range(1, 40, 2)))
    result = opened(path, allow=True)
    assert (result.pixels[:, 8, 8, 0] == range(0, 40, 2)).all()
    assert len(result.unreadable) == len(bad)
    assert capsys.readouterr().err.count("\n") == 11
    with pytest.raises(DataError, match="20 of 40 pictures can't be read"):
        opened(path)
    assert len(opened(path, allow=True).pixels) == 20
    with pytest.raises(DataError, match=r"none of the 10 pictures.*0000\.png"):
        opened(with_bad(tmp_path, 10, list(range(10))), allow=True)


# ---- interruptions, a full disk, two processes -------------------------------------------------


def in_a_process(path: Path, before: str = "") -> subprocess.Popen[str]:
    """Open the store in another process, after the code `before`."""
    code = f"""
        import hashlib, os, resource, signal, sys
        from pathlib import Path
        from hemozoin.data import store
        from hemozoin.data.index import index_cells
        from hemozoin.data.preprocess import Preprocessing
        from hemozoin.data.source import open_source
        from hemozoin.errors import DataError
        source = open_source(Path({str(path)!r}))
        decode, result = store.decode_plain_cell, []
        def after(number, do):
            def decoding(data):
                result.append(1)
                if len(result) == number:
                    do()
                return decode(data)
            store.decode_plain_cell = decoding
        {before}
        try:
            opened = store.open_store(source, index_cells(source), Preprocessing(16))
        except DataError as error:
            sys.exit(str(error))
        print(hashlib.sha256(opened.pixels).hexdigest())
    """
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", textwrap.dedent(code)]
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True)


@pytest.mark.slow
def test_the_unfinished_store_of_a_killed_process_is_removed(tmp_path: Path, cache: Path) -> None:
    path = make_cells(tmp_path / "cells.zip", patients=60)
    with in_a_process(path, "after(400, lambda: os.kill(os.getpid(), signal.SIGKILL))") as killed:
        assert killed.wait() == -signal.SIGKILL
    assert files_in(cache) == [".partial"]
    assert (opened(path).pixels == decoded(path)).all()
    assert files_in(cache) == [".json", ".npy"]


@pytest.mark.slow
def test_an_interrupted_process_leaves_nothing(cells_zip: Path, cache: Path) -> None:
    with in_a_process(cells_zip, "after(20, lambda: os.kill(os.getpid(), signal.SIGINT))") as run:
        assert run.wait() != 0
    assert files_in(cache) == []


@pytest.mark.slow
def test_two_processes_can_build_a_store_at_once(cells_zip: Path, cache: Path) -> None:
    runs = [in_a_process(cells_zip) for _ in range(2)]
    outputs = [run.communicate() for run in runs]
    assert [run.returncode for run in runs] == [0, 0], outputs
    assert outputs[0][0] == outputs[1][0] != ""
    assert files_in(cache) == [".json", ".npy"]


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_leaves_nothing(cells_zip: Path, cache: Path) -> None:
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))"
    assert 48 * 16 * 16 * 3 > 20_000
    with in_a_process(cells_zip, limit) as run:
        _, error = run.communicate()
    assert run.returncode == 1
    assert error.startswith(
        f"{cache}: can't write decoded cells there (File too large); set HEMOZOIN_CACHE"
    )
    assert error.count("\n") == 1
    assert files_in(cache) == []


def test_a_cache_folder_that_cannot_be_made(
    cells_zip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEMOZOIN_CACHE", str(cells_zip / "below a file"))
    with pytest.raises(DataError, match="HEMOZOIN_CACHE"):
        opened(cells_zip)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_cells() -> None:
    cells = cells_of([(str(number), "uninfected", None) for number in range(1000)])
    cells = replace(cells, file=texts(f"{number}.png" for number in range(1000)))
    tracemalloc.start()
    result = open_store(Drawn(), cells, Preprocessing(64))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert result.pixels.nbytes > 12_000_000
    assert peak < 7_000_000


# ---- decode_all --------------------------------------------------------------------------------


@pytest.mark.slow
def test_decoding_keeps_the_order_of_pictures_and_errors() -> None:
    names = [f"{n}.bad" if n % 7 == 0 else f"{n}.png" for n in range(500)]
    result = list(decode_all(((Uneven(), name) for name in names), SMALL))
    assert len(result) == 500
    for number, cell in enumerate(result):
        if number % 7 == 0:
            assert isinstance(cell, DataError)
            assert str(cell) == f"{number}.bad: bad"
        else:
            assert isinstance(cell, np.ndarray)
            assert (cell == (number % 256, 99, 99)).all()
    assert list(decode_all([], SMALL)) == []


def test_decoding_keeps_only_some_pictures_in_memory() -> None:
    requested = 0

    def endless() -> Iterator[tuple[Drawn, str]]:
        nonlocal requested
        while True:
            requested += 1
            yield Drawn(), f"{requested}.png"

    cells = decode_all(endless(), SMALL)
    for _ in range(1000):
        next(cells)
    cells.close()  # type: ignore[attr-defined]
    assert requested - 1000 < AHEAD


@pytest.mark.slow
@pytest.mark.parametrize("at", [0, 300])
def test_an_unexpected_error_is_the_error_of_its_picture(at: int) -> None:
    names = [f"{n}.bug" if n == at else f"{n}.png" for n in range(400)]
    result = list(decode_all(((Uneven(), name) for name in names), SMALL))
    assert [row for row, cell in enumerate(result) if isinstance(cell, DataError)] == [at]
    assert str(result[at]) == f"{at}.bug: internal error: ZeroDivisionError"


def test_plain_and_other_pictures_in_one_batch(tmp_path: Path) -> None:
    plain = flat_cell(200, 99, 99)
    palette = png(Image.open(io.BytesIO(plain)).quantize())
    files = [plain, palette, plain[:-20], b"", png(Image.new("RGB", (5, 9))), plain]
    for number, data in enumerate(files):
        (tmp_path / f"{number}.png").write_bytes(data)
    names = [*(f"{number}.png" for number in range(6)), "6.png"]
    found = decode_batch(((open_source(tmp_path), name) for name in names), SMALL)
    cells = [cell for cell in found if isinstance(cell, np.ndarray)]
    assert [isinstance(cell, DataError) for cell in found] == [False] * 2 + [True] * 3 + [
        False,
        True,
    ]
    assert all((cell == (200, 99, 99)).all() for cell in cells)
    assert [str(cell)[:6] for cell in found[2:5]] == ["2.png:", "3.png:", "4.png:"]


def test_an_unexpected_error_in_preparing_is_that_of_its_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(flat_cell(100 + number, 99, 99))

    def failing(pixels: Sequence[Pixels], preprocessing: Preprocessing) -> Pixels:
        if any(101 in one for one in pixels):
            raise MemoryError
        return prepare_batch(pixels, preprocessing)

    monkeypatch.setattr(store, "prepare_batch", failing)
    monkeypatch.setattr(store, "prepare", lambda one, how: failing([one], how)[0])
    names = [f"{number}.png" for number in range(3)]
    first, second, third = decode_batch(((open_source(tmp_path), name) for name in names), SMALL)
    assert str(second) == "1.png: internal error: MemoryError"
    assert isinstance(first, np.ndarray)
    assert isinstance(third, np.ndarray)
    assert (third == (102, 99, 99)).all()


@pytest.mark.parametrize("at", [0, 300])
def test_an_exception_in_a_worker_is_raised_and_nothing_hangs(at: int) -> None:
    requested = []

    def numbers() -> Iterator[int]:
        for n in range(10_000):
            requested.append(n)
            yield n

    before = threading.active_count()
    with pytest.raises(ZeroDivisionError):
        list(in_threads(lambda n: 1 / (n - at), numbers()))
    assert len(requested) < at + AHEAD
    assert threading.active_count() == before


# ---- the real cells ----------------------------------------------------------------------------


@pytest.mark.real
def test_the_second_run_on_the_real_cells_decodes_nothing(
    real_zip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drawn(pictures: object, preprocessing: Preprocessing) -> Iterator[Pixels]:
        assert isinstance(pictures, Iterator)
        return (
            np.full((preprocessing.size, preprocessing.size, 3), n % 256, np.uint8)
            for n, _ in enumerate(pictures)
        )

    def fail(pictures: object, preprocessing: Preprocessing) -> Iterator[Pixels]:
        raise AssertionError("a cell is decoded again")

    monkeypatch.setattr(store, "decode_all", drawn)
    opened(real_zip, Preprocessing(8))
    monkeypatch.setattr(store, "decode_all", fail)
    result = opened(real_zip, Preprocessing(8))
    assert (result.pixels[:, 0, 0, 0] == np.arange(22_066) % 256).all()
