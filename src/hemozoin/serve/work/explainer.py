"""A process that computes the maps of why for cells of fields, one after another.

The first line of standard input names the network. Each further line asks for a map, in JSON: the
field's picture, the cell as the screening saved it, and what was taken from the log odds of the
field. Each line of standard output is an answer: the map as a PNG in base64, or an error. The
process ends when standard input is closed, or when nothing was asked for a while.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from threading import Timer
from typing import Any

from PIL import Image

from hemozoin.arrays import Pixels
from hemozoin.data.picture import unexpected_errors
from hemozoin.errors import DataError, HemozoinError
from hemozoin.files import read_regular_file
from hemozoin.images import to_png
from hemozoin.model.predictor import Predictor
from hemozoin.model.saliency import activation_maps
from hemozoin.model.saliency_card import overlay_map
from hemozoin.serve.work.process import give_way
from hemozoin.smear.classification.recalibration import shifted
from hemozoin.smear.field import Cell, SmearObject
from hemozoin.smear.picture import decode_field
from hemozoin.smear.screen import Screener

#: Seconds without a question after which the process ends: it takes 200 MB.
_IDLE = 120

#: Number of fields that are kept: cells of like p are in several.
_FIELDS = 4

#: Largest difference of p from what the network said when it screened the slide.
_SAME_P = 0.001


def main() -> int:
    """Answer until standard input is closed, and return the exit code."""
    give_way()
    explainer = _Explainer(Predictor.load(json.loads(sys.stdin.readline())["model"]))
    while True:
        idle = Timer(_IDLE, os._exit, [0])
        idle.daemon = True
        idle.start()
        line = sys.stdin.readline()
        idle.cancel()
        if not line:
            return 0
        print(json.dumps(_answer(explainer, json.loads(line))), flush=True)


class _Explainer:
    """Computes maps with the network that screened the slides."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self._screener = Screener(predictor)
        self._opened = lru_cache(_FIELDS)(self._open)

    def map(self, picture: Path, cell: Cell, log_odds_shift: float) -> Pixels:
        """Return the map of a cell, uint8 `[S, S, 3]`, as on the Cells page.

        Raises DataError where the network does not say of the cell what it said in the screening.
        """
        pixels = self._opened(picture, picture.stat().st_mtime_ns)(cell)
        (p,) = self._predictor(pixels[None])
        if abs(shifted(float(p), log_odds_shift) - cell.p_parasitized) > _SAME_P:
            raise DataError("no map: the slide was screened with another network or diameter")
        (log_odds,) = activation_maps(self._predictor, pixels[None])
        return overlay_map(pixels, log_odds)

    def _open(self, picture: Path, _: int) -> Callable[[SmearObject], Pixels]:
        field = decode_field(read_regular_file(picture), picture.name)
        return self._screener.network_input(field, picture.name)


def _answer(explainer: _Explainer, question: dict[str, Any]) -> dict[str, str]:
    try:
        with unexpected_errors("map"):
            cell, shift = Cell(**question["cell"]), float(question["log_odds_shift"])
            pixels = explainer.map(Path(question["picture"]), cell, shift)
    except (HemozoinError, OSError) as error:
        return {"error": str(error)}
    png = to_png(Image.fromarray(pixels))
    return {"png": base64.b64encode(png).decode()}
