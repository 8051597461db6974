"""A data set as the user names it, found and decoded."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from hemozoin.data.index import ClassNames, index_cells, with_patients
from hemozoin.data.labels import with_corrections
from hemozoin.data.options import CellOptions
from hemozoin.data.preprocess import Preprocessing
from hemozoin.data.source import Source, open_source
from hemozoin.data.store import Store, open_store


def find_cells(data: Path, options: CellOptions) -> tuple[Source, pl.DataFrame]:
    """Return the source and its table of cells (see `index_cells`), without decoding any.

    With corrections the table has the column `corrected` as well.
    """
    source = open_source(data)
    cells = index_cells(source, ClassNames(options.parasitized, options.uninfected))
    for csv in options.patients:
        cells = with_patients(cells, csv, options.patient_column)
    return source, with_corrections(cells, options.labels) if options.labels else cells


def decode_cells(data: Path, options: CellOptions, how: Preprocessing) -> Store:
    """Return the table of cells with their pixels, from the cache where it has them."""
    source, cells = find_cells(data, options)
    return open_store(source, cells, how, options.allow_unreadable)
