"""Every error that a user can correct.

The command line prints such an error as one line and exits with code 2; in Python these are
ordinary exceptions. Each message says what is wrong, where, and what to do about it.

    HemozoinError
    ├── DataError            the input: a path, a zip, a picture, a label, a patient
    ├── ModelError           a model folder: a file is missing, was changed or is not a model's
    ├── RunError             a run folder: not empty, not resumable, disk full
    ├── TrainingError        training itself: the loss is no longer a number
    └── MissingExtraError    a part is not installed; the message has the line that installs it
"""

from __future__ import annotations


class HemozoinError(Exception):
    """Base class of all errors that the user can correct."""


class DataError(HemozoinError):
    """The input pictures, or the files that describe them, can't be used."""


class ModelError(HemozoinError):
    """A model folder is incomplete, was changed, or is not a model folder of this package."""


class RunError(HemozoinError):
    """A run folder can't be written to or resumed."""


class TrainingError(HemozoinError):
    """Training can't continue."""


class MissingExtraError(HemozoinError):
    """An optional part of the package is not installed."""


def require_whole_number(name: str, value: object, low: int, high: int) -> None:
    """Raise HemozoinError unless a value is a whole number (an int) from `low` to `high`."""
    if type(value) is not int or not low <= value <= high:
        raise HemozoinError(
            f"{name} is {value!r:.40}; give a whole number from {low:,} to {high:,}"
        )


def require_number(
    name: str, value: object, low: float, high: float, *, above: bool = False
) -> None:
    """Raise HemozoinError unless a value is a number from `low`, or `above` it, to `high`."""
    is_within = isinstance(value, int | float) and low <= value <= high
    if isinstance(value, bool) or not is_within or (above and value == low):
        allowed = f"above {low:g}, at most {high:g}" if above else f"from {low:g} to {high:g}"
        raise HemozoinError(f"{name} is {value!r:.40}; give a number {allowed}")
