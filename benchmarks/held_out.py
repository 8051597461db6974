"""The patients of a cross-validation, held out once more: from the fit of the decision.

A network that was not trained on its patient classified each cell of a cross-validation. But
temperature, threshold, review band and counting point of the final network are fitted on all of
these predictions. Here the patients are dealt into parts, several times, and each part is held
out in turn, to test what was fitted on the others. (The folds of the cross-validation alone are
too few for counts: five false positives in one of them decided the result.)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hemozoin.arrays import Bools, Floats, Pixels
from hemozoin.data.cells import LabelledCells
from hemozoin.training.packaging import DecisionParameters, fit_decision
from hemozoin.training.runs.config import RunConfig
from hemozoin.training.runs.final import out_of_fold_log_odds
from hemozoin.training.runs.folder import RunFolder
from hemozoin.training.runs.run import load_split_data
from hemozoin.training.runs.start import read_config

#: Parts of the patients, and how often they are dealt.
PARTS, DEALS = 5, 20


@dataclass(frozen=True, eq=False)
class CrossValidation:
    """The cells of a cross-validation, the pixels `[cells, S, S, 3]` and log odds of each."""

    config: RunConfig
    cells: LabelledCells
    pixels: Pixels
    logit: Floats

    @classmethod
    def load(cls, run: Path) -> CrossValidation:
        """Read a folder of `hemozoin crossval --final --labels`."""
        folds = [RunFolder(path) for path in sorted(run.glob("fold*/"))]
        config = read_config(run / "final" / "config.json")
        data = load_split_data(config, folds[0].split)
        predicted, logit = out_of_fold_log_odds(folds)
        of_cell = dict(zip(predicted.cell, logit, strict=True))
        ordered = np.array([of_cell[cell] for cell in data.cells.cell])
        return cls(config, data.cells, data.pixels[data.cells.row], ordered)

    def parts(
        self, parts: int = PARTS, deals: int = DEALS
    ) -> Iterator[tuple[Bools, DecisionParameters]]:
        """Yield which cells are held out, bool `[cells]`, and the decision fitted on the others."""
        names, number = np.unique(self.cells.patient.astype(str), return_inverse=True)
        for deal in range(deals):
            part = np.random.default_rng(deal).permutation(len(names)) % parts
            for one in range(parts):
                own = part[number] == one
                others = self.cells.select(~own), self.logit[~own]
                yield own, fit_decision(*others, self.config.operating_point)
