"""A data set as the user names it: its table of cells, and their pixels."""

from __future__ import annotations

from pathlib import Path

from hemozoin.data.cells import Cells
from hemozoin.data.folders import ClassNames
from hemozoin.data.index import index_cells, with_patients
from hemozoin.data.labels import with_corrections
from hemozoin.data.options import CellOptions
from hemozoin.data.preprocess import Preprocessing
from hemozoin.data.source import Source, open_source
from hemozoin.data.store import Store, open_store


def find_cells(data: Path, options: CellOptions) -> tuple[Source, Cells]:
    """Return the source and its table of cells (see `index_cells`), without decoding any cell.

    Where `options` names label corrections, the table also has the column `corrected`.
    """
    source = open_source(data)
    cells = index_cells(source, ClassNames(options.parasitized, options.uninfected))
    for csv in options.patients:
        cells = with_patients(cells, csv, options.patient_column)
    return source, with_corrections(cells, options.labels) if options.labels else cells


def decode_cells(data: Path, options: CellOptions, preprocessing: Preprocessing) -> Store:
    """Return the table of cells with their pixels, from the cache if they are there."""
    source, cells = find_cells(data, options)
    return open_store(source, cells, preprocessing, options.allow_unreadable)


def decode_extra_cells(data: Path, options: CellOptions, preprocessing: Preprocessing) -> Store:
    """Return further cells, for training alone; they may be of one class."""
    source = open_source(data)
    classes = ClassNames(options.parasitized, options.uninfected)
    cells = index_cells(source, classes, one_class=True)
    return open_store(source, cells, preprocessing, options.allow_unreadable)
