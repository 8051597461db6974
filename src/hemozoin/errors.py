"""Every error that a user can put right.

The command line prints such an error as one line and exits with 2; from Python they are
ordinary exceptions. Each message says what is wrong, where, and what to do about it.

    HemozoinError
    ├── DataError        the cells that came in: a path, a zip, a picture, a label, a patient
    ├── ModelError       a model folder: a file missing, changed or not ours
    ├── RunError         a run folder: not empty, not resumable, disk full
    ├── TrainingError    training itself: a loss that is no longer a number
    └── MissingExtraError     a part that was not installed; the message has the install line
"""

from __future__ import annotations


class HemozoinError(Exception):
    """Base of all errors that the user can put right."""


class DataError(HemozoinError):
    """The cells that came in can't be used as they are."""


class ModelError(HemozoinError):
    """A model folder is incomplete, changed or not one of ours."""


class RunError(HemozoinError):
    """A run folder can't be written to or gone on from."""


class TrainingError(HemozoinError):
    """Training can't go on."""


class MissingExtraError(HemozoinError):
    """An optional part of the package is not installed."""
