"""Pictures of the same field, also saved again or shrunk: counted once.

A fingerprint is a grey copy of 32x32 px, less its surroundings and divided by their contrast: so
the rim of an eyepiece doesn't count more than the cells. Two pictures are of the same field if
their fingerprints correlate. Of 146 pictures of smears, different ones of a place correlate by at
most 0.84, and a picture with itself, saved as JPEG of quality 60 at half its size, by at
least 0.97.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from hemozoin.smear.field import Field

_SIDE = 32

#: Standard deviation of the surroundings, in px of the grey copy.
_SURROUNDINGS = 1.5

#: Grey levels that are added to the contrast, so that noise doesn't look like cells.
_NOISE = 4.0

#: Least correlation of two pictures of the same field.
_SAME = 0.92

#: A picture with less structure than this, such as an empty one, has no fingerprint.
_LEAST_STRUCTURE = 0.05

#: Fingerprints are saved as bytes: this value is the largest, of either sign.
_LARGEST = 127


def fingerprint(picture: Image.Image) -> str:
    """Return the fingerprint of a picture as text; "" for one without structure."""
    whole, side = np.asarray(picture.convert("L")), (_SIDE, _SIDE)
    grey = cv2.resize(whole, side, interpolation=cv2.INTER_AREA).astype(np.float32)
    detail = grey - _blurred(grey)
    structure = detail / (np.sqrt(_blurred(detail * detail)) + _NOISE)
    if structure.std() < _LEAST_STRUCTURE:
        return ""
    scaled = (structure * (_LARGEST / abs(structure).max())).round().astype(np.int8)
    return base64.b64encode(scaled.tobytes()).decode()


def _blurred(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(values, (0, 0), _SURROUNDINGS), np.float32)


def with_repeats(fields: Iterable[Field]) -> Iterator[Field]:
    """Yield the fields of a slide; one that shows the same as an earlier usable one says so.

    About 4 kB are kept of each field.
    """
    names, seen = list[str](), np.empty((0, _SIDE**2), np.float32)
    for field in fields:
        vector = _vector(field.fingerprint)
        likeness = seen[: len(names)] @ vector
        if likeness.size and likeness.max() >= _SAME:
            yield replace(field, same_as=names[int(likeness.argmax())])
            continue
        if field.usable and vector.any():
            if len(names) == len(seen):
                seen = np.concatenate([seen, np.empty((max(64, len(seen)), _SIDE**2), np.float32)])
            seen[len(names)] = vector
            names.append(field.field)
        yield field


def _vector(text: str) -> npt.NDArray[np.float32]:
    """Return a fingerprint of length 1, mean 0; zeros for none, and for damaged text."""
    try:
        values = np.frombuffer(base64.b64decode(text, validate=True), np.int8).astype(np.float32)
    except (binascii.Error, ValueError):
        values = np.empty(0, np.float32)
    if values.size != _SIDE**2:
        return np.zeros(_SIDE**2, np.float32)
    values -= values.mean()
    return values / max(float(np.linalg.norm(values)), 1.0)
