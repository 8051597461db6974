"""The hashes of the patients that a network has seen."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hemozoin.metrics.seen_patients import SeenPatients, TrainingOverlap, is_hashed, overlap_with
from tests.support.tables import labelled_cells

SEEN = SeenPatients.of(["C1", "C2", "Zoë"], ["C3"])


def test_it_recognizes_its_patients_only() -> None:
    assert SEEN.among(["C1", "C3", "C4", "Zoë", "c1", ""]) == {"C1", "C3", "Zoë"}


def test_no_name_and_no_order_of_names_is_saved() -> None:
    saved = SEEN.to_dict()
    text = json.dumps(saved)
    assert not any(name in text for name in ("C1", "C2", "C3", "Zo"))
    assert saved["training"] == sorted(saved["training"])
    assert SeenPatients.of(["Zoë", "C2", "C1", "C2"], ["C3"]).to_dict() == saved
    assert SeenPatients.from_dict(json.loads(text)) == SEEN


def test_the_same_patient_has_another_hash_in_another_folder() -> None:
    other = SeenPatients.of(["C1", "C2"])
    assert other.salt != SEEN.salt
    assert not other.training & SEEN.training


def test_further_training_keeps_earlier_patients() -> None:
    more = SEEN.adding(["C7"], ["C8"])
    assert more.among(["C1", "C3", "C7", "C8", "C9"]) == {"C1", "C3", "C7", "C8"}
    assert more.salt == SEEN.salt


def test_overlap_counts_cells_and_patients() -> None:
    cells = labelled_cells(["uninfected"] * 4, ["C1", "C1", "C3", "C9"])
    assert overlap_with(SEEN, cells) == TrainingOverlap(cells=3, patients=2)
    assert overlap_with(SeenPatients.of(["C8"]), cells) == TrainingOverlap(0, 0)


def test_unknown_patients_can_not_be_told() -> None:
    assert overlap_with(SEEN, labelled_cells(["uninfected"])) is None
    assert overlap_with(None, labelled_cells(["uninfected"], ["C1"])) is None


SALT, HASH = "0" * 32, "f" * 16
INVALID: list[Any] = [
    None,
    [],
    {},
    {"salt": SALT, "training": [HASH]},
    {"salt": "0", "training": [HASH], "validation": []},
    {"salt": 5, "training": [HASH], "validation": []},
    {"salt": SALT, "training": HASH, "validation": []},
    {"salt": SALT, "training": ["C1"], "validation": []},
    {"salt": SALT, "training": [5], "validation": []},
    {"salt": SALT, "training": [], "validation": [], "names": []},
]


@pytest.mark.parametrize("values", INVALID, ids=str)
def test_other_values_are_refused(values: Any) -> None:
    assert is_hashed({"salt": SALT, "training": [HASH], "validation": []})
    assert not is_hashed(values)
    with pytest.raises(ValueError, match="hashes"):
        SeenPatients.from_dict(values)
