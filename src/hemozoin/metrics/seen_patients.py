"""The patients that a network has seen, as salted hashes.

A model folder has to recognize the patients that it was trained on, since its metrics on them say
nothing about others. It contains a salted hash of each patient's name: no names, no numbers of
cells, no metrics, and in the order of the hashes.

This hides the names from a reader of the folder, and from tables of hashes that were computed
before. It does not hide them from somebody who guesses: whoever has a list of names can test which
of them are in the folder, as `hemozoin evaluate` does. scrypt makes a guess take about 2 ms, so
names that are hard to guess stay hidden; initials or short numbers do not. How many patients there
were is not hidden.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hemozoin.data.cells import LabelledCells
from hemozoin.data.split import has_patients

#: Most patients that are recorded: hashing more of them would take minutes.
MOST_PATIENTS = 100_000

#: Cost, block size and parallelization of scrypt (RFC 7914), and the bytes of a hash.
_SCRYPT: dict[str, int] = {"n": 2**10, "r": 8, "p": 1, "dklen": 8}

_SALT, _HASH = re.compile(r"[0-9a-f]{32}"), re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class SeenPatients:
    """Hashes of the patients on whose cells a network was trained, and its decision rules fitted.

    `salt` is a hexadecimal number that was hashed with every name.
    """

    salt: str
    training: frozenset[str]
    validation: frozenset[str]

    @classmethod
    def of(cls, training: Iterable[str], validation: Iterable[str] = ()) -> SeenPatients:
        """Return the hashes of these names; the same names always give the same hashes."""
        training, validation = sorted({*training}), sorted({*validation})
        salt = hashlib.sha256("\n".join([*training, "", *validation]).encode()).hexdigest()[:32]
        return cls(salt, frozenset(), frozenset()).adding(training, validation)

    def adding(self, training: Iterable[str], validation: Iterable[str]) -> SeenPatients:
        """Return these patients and others, for a network that was trained further."""
        return SeenPatients(
            self.salt,
            self.training | {self._hash(name) for name in training},
            self.validation | {self._hash(name) for name in validation},
        )

    def among(self, names: Iterable[str]) -> set[str]:
        """Return those of the names whose patient was seen, in training or validation."""
        return {name for name in names if self._hash(name) in self.training | self.validation}

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        hashes = {"training": sorted(self.training), "validation": sorted(self.validation)}
        return {"salt": self.salt, **hashes}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> SeenPatients:
        """Read the values of `to_dict`; raises ValueError for any others."""
        if not is_hashed(values):
            raise ValueError("not the hashes of patients")
        return cls(values["salt"], frozenset(values["training"]), frozenset(values["validation"]))

    def _hash(self, name: str) -> str:
        return hashlib.scrypt(name.encode(), salt=bytes.fromhex(self.salt), **_SCRYPT).hex()


@dataclass(frozen=True)
class TrainingOverlap:
    """The tested cells of patients that the network has seen, and the number of these patients."""

    cells: int
    patients: int


def overlap_with(seen: SeenPatients | None, cells: LabelledCells) -> TrainingOverlap | None:
    """Return how many of the tested cells are of patients that a network has seen.

    None: this can't be told, because the patients of the network or of the cells are not known.
    """
    if seen is None or not has_patients(cells):
        return None
    names = seen.among({*cells.patient})
    return TrainingOverlap(int(np.isin(cells.patient, [*names]).sum()), len(names))


def is_hashed(values: Any) -> bool:
    """Return whether these are values that `SeenPatients.to_dict` can return."""
    if not isinstance(values, dict) or values.keys() != {"salt", "training", "validation"}:
        return False
    lists = (values["training"], values["validation"])
    if not all(isinstance(one, list) and len(one) <= MOST_PATIENTS for one in lists):
        return False
    salted = isinstance(values["salt"], str) and _SALT.fullmatch(values["salt"])
    hashes = (value for one in lists for value in one)
    return bool(salted) and all(isinstance(v, str) and _HASH.fullmatch(v) for v in hashes)
