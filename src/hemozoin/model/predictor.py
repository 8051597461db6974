"""A loaded network that answers: pixels in, p_parasitized out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from hemozoin.cells.index import PARASITIZED
from hemozoin.cells.picture import Pixels
from hemozoin.errors import ModelError
from hemozoin.model.bundle import CLASSES, Bundle, load_bundle
from hemozoin.model.classifier import Classifier

#: Cells per step. Larger ones fall out of the cache of a CPU.
BATCH = 256


class Predictor:
    """A network of a bundle, ready to answer."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self._classifier = Classifier(bundle.architecture, bundle.view, bundle.orientations)
        state = {name: torch.from_numpy(array) for name, array in bundle.weights.items()}
        try:
            self._classifier.load_state_dict(state)
        except RuntimeError as error:
            raise ModelError("the weights don't fit the architecture in config.json") from error
        self._classifier.eval()

    @classmethod
    def load(cls, folder: Path) -> Predictor:
        """Open a model folder; raises ModelError where it can't be trusted."""
        return cls(load_bundle(folder))

    def __call__(self, pixels: Pixels) -> npt.NDArray[np.float32]:
        """Return p_parasitized, `[N]` in 0..1, of prepared cells uint8 `[N, S, S, 3]`."""
        batches = (pixels[k : k + BATCH] for k in range(0, len(pixels), BATCH))
        return np.concatenate([*self.stream(batches), np.empty(0, np.float32)])

    def stream(self, batches: Iterable[Pixels]) -> Iterator[npt.NDArray[np.float32]]:
        """Yield p_parasitized for each batch of prepared cells."""
        for batch in batches:
            with torch.inference_mode():
                probabilities = self._classifier(torch.from_numpy(np.ascontiguousarray(batch)))
            yield probabilities[:, CLASSES.index(PARASITIZED)].numpy()
