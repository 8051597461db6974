"""What is not a red cell like those the network was trained on: the input guard."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from hemozoin.cells.picture import Pixels
from hemozoin.errors import ModelError

Array = npt.NDArray[np.float32]

#: Principal components of the features that are looked at.
_COMPONENTS = 32

#: The share of training cells that may be called strange.
_LOST = 0.01


@dataclass(frozen=True, eq=False)
class Guard:
    """How red cells look to the network, and how far from it is too far."""

    #: float32 `[C]`
    mean: Array
    #: float32 `[C, D]`: brings the features to a spread of 1 in each of D directions.
    whitening: Array
    #: float32 `[]`: the largest distance that is not strange.
    limit: Array

    def is_strange(
        self, pixels: Pixels, features: npt.NDArray[np.float32]
    ) -> npt.NDArray[np.bool_]:
        """Tell which of the cells are none.

        `pixels` is uint8 `[N, S, S, 3]`, 0 outside the cell; `features` float `[N, C]`, the
        network's pooled features of the same cells. Returns bool `[N]`.
        """
        distance = np.linalg.norm((features - self.mean) @ self.whitening, axis=1)
        empty = ~pixels.any(axis=(1, 2, 3))
        strange: npt.NDArray[np.bool_] = ~(distance <= self.limit) | empty
        return strange

    def to_arrays(self) -> dict[str, npt.NDArray[np.float32]]:
        """Return the arrays by name, to be stored."""
        return asdict(self)

    @classmethod
    def from_arrays(cls, arrays: dict[str, npt.NDArray[np.float32]]) -> Guard:
        """Take what `to_arrays` gave; raises ModelError where it is something else."""
        try:
            return cls(**arrays)
        except TypeError as error:
            raise ModelError("guard.safetensors: not a guard of this version") from error


def fit_guard(
    pixels: Pixels, features: npt.NDArray[np.float32], patients: npt.NDArray[np.str_] | None
) -> Guard:
    """Learn how cells look from cells that the network was not trained on."""
    mean = features.mean(axis=0)
    _, spread, directions = np.linalg.svd(features - mean, full_matrices=False)
    keep = min(_COMPONENTS, int((spread > 1e-6 * spread[0]).sum()))
    whitening = directions[:keep].T * (np.sqrt(len(features)) / spread[:keep])
    distance = np.linalg.norm((features - mean) @ whitening, axis=1)
    limit = np.quantile(distance, 1 - _LOST)
    return Guard(*(np.asarray(a, np.float32) for a in (mean, whitening, limit)))
