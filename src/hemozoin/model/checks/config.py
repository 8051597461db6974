"""config.json: its keys, and the values that each may have.

The keys are those of the file, which older versions wrote too; `model/bundle.py` has the field of
`Bundle` that each key belongs to. The schema is one of pydantic-core, the part of pydantic that
validates: all of pydantic takes 60 ms longer to import, and every prediction waits for it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from typing import Any, Literal, get_args

from pydantic_core import SchemaValidator, ValidationError
from pydantic_core import core_schema as schemas
from pydantic_core.core_schema import CoreSchema

from hemozoin.classes import CLASSES
from hemozoin.decision.reference_patients import ReferencePatients
from hemozoin.decision.temperature import MAX_TEMPERATURE, MIN_TEMPERATURE
from hemozoin.errors import ModelError
from hemozoin.metrics.seen_patients import is_hashed
from hemozoin.mobilenet.architecture import (
    LARGEST_ALPHA,
    LARGEST_SIZE,
    SMALLEST_SIZE,
    Activation,
    Body,
    Padding,
)
from hemozoin.model.checks.protobuf import shortened
from hemozoin.model.transform import InputTransform

FORMAT = "hemozoin-model/2"

#: Most keys and values in "about", and how deep they may be nested; the pretrained networks have
#: 300 of them, at most 4 deep.
_MOST_VALUES, _DEEPEST = 100_000, 20


def parse_config(content: bytes, name: str) -> dict[str, Any]:
    """Return the values of config.json; `name` is the file's name in error messages.

    Raises ModelError, with the key and the values that it may have, where one isn't allowed.
    """
    try:
        values = json.loads(content, object_pairs_hook=_without_repetition)
    except (RecursionError, ValueError) as error:
        raise ModelError(f"{name}: damaged, not JSON or with a key twice; copy it again") from error
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise ModelError(f"{name}: not a model folder of this version; give RUN/model")
    try:
        _VALIDATOR.validate_python(values, strict=True)
    except ValidationError as error:
        raise ModelError(f"{name}: {_in_words(error)}") from error
    return values


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a key occurs twice")
    return values


def _in_words(error: ValidationError) -> str:
    """Return the first mistake: the key, its value, and the values that it may have."""
    mistake = error.errors(include_url=False)[0]
    key = shortened(".".join(map(str, mistake["loc"])))[1:-1]
    if mistake["type"] == "extra_forbidden":
        return f"{key} is unknown; this model may be from another version of hemozoin"
    schema: Any = _SCHEMA
    for part in mistake["loc"]:
        while "fields" not in schema:
            schema = schema["schema"]
        schema = schema["fields"][part]["schema"]
    found = "missing" if mistake["type"] == "missing" else _shown(mistake["input"])
    return f"{key} is {found}; needs {schema['metadata']['allowed']}"


def _shown(value: object) -> str:
    """Return a value, or its kind where it has other values in it."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    return shortened(value)


# ---- the schema ---------------------------------------------------------------------------------


def _allowed(text: str) -> dict[str, str]:
    """Return the metadata of a schema: what it allows, for error messages."""
    return {"allowed": text}


def _one_of(kind: object) -> CoreSchema:
    """Return the schema of a Literal."""
    return schemas.literal_schema([*get_args(kind)], metadata=_allowed(" or ".join(get_args(kind))))


def _number(low: float, high: float) -> CoreSchema:
    allowed = _allowed(f"a number from {low:g} to {high:g}")
    return schemas.float_schema(ge=low, le=high, metadata=allowed)


def _above(low: float, high: float) -> CoreSchema:
    allowed = _allowed(f"a number above {low:g}, at most {high:g}")
    return schemas.float_schema(gt=low, le=high, metadata=allowed)


def _whole(low: int, high: int) -> CoreSchema:
    allowed = _allowed(f"a whole number from {low} to {high}")
    return schemas.int_schema(ge=low, le=high, metadata=allowed)


def _or_null(schema: CoreSchema, allowed: str) -> CoreSchema:
    return schemas.nullable_schema(schema, metadata=_allowed(allowed))


def _object(optional: Collection[str] = (), /, **keys: CoreSchema) -> CoreSchema:
    """Return the schema of an object with these keys and no others; some may be missing."""
    fields = {
        key: schemas.typed_dict_field(schema, required=key not in optional)
        for key, schema in keys.items()
    }
    allowed = _allowed(", ".join(keys))
    return schemas.typed_dict_schema(fields, extra_behavior="forbid", metadata=allowed)


def _where(schema: CoreSchema, holds: Callable[[Any], bool], text: str) -> CoreSchema:
    """Return a schema for those of its values for which `holds`."""

    def require(value: Any) -> Any:
        if not holds(value):
            raise ValueError(text)
        return value

    return schemas.no_info_after_validator_function(require, schema, metadata=_allowed(text))


def _is_bounded(about: dict[str, Any]) -> bool:
    """Return whether there are not too many values, and all text is Unicode.

    A name of a file may have bytes that are not, for which Python has code points of its own.
    """
    for count, (value, depth) in enumerate(_nested(about)):
        if count > _MOST_VALUES or depth > _DEEPEST:
            return False
        if isinstance(value, str) and not _is_encodable(value):
            return False
    return True


def _is_encodable(text: str) -> bool:
    try:
        text.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def _is_reference(found: Any) -> bool:
    """Return whether the values are of a `ReferencePatients`, and nothing else."""
    try:
        known = ReferencePatients.from_dict(found).to_dict()
    except (KeyError, OverflowError, TypeError, ValueError):
        return False
    return bool(known == found)


def _nested(value: object) -> Iterator[tuple[object, int]]:
    """Yield a value and all keys and values in it, each with its depth."""
    waiting = [(value, 0)]
    while waiting:
        value, depth = waiting.pop()
        yield value, depth
        inner = [*value, *value.values()] if isinstance(value, dict) else value
        if isinstance(inner, list):
            waiting.extend((item, depth + 1) for item in inner)


_SHARE = _number(0, 1)
_INNER = schemas.float_schema(gt=0, lt=1, metadata=_allowed("a number above 0 and below 1"))
_COUNT = _whole(1, 10**12)
_TEXT = schemas.str_schema(max_length=200, metadata=_allowed("a text of at most 200 characters"))

_OPERATING_POINT = _object(
    kind=_one_of(Literal["balanced", "sensitivity", "specificity"]),
    at_least=_or_null(_INNER, "a number above 0 and below 1, or null"),
)
_RATE = _object(rate=_SHARE, sd=_SHARE, patients=_COUNT, cells=_COUNT)
_RATE_TEXT = "rate, sd, patients and cells, with not more patients than cells"
_PATIENT_RATE = _where(
    _object(rate=_SHARE, sd=_above(0, 1), patients=_COUNT, cells=_COUNT),
    lambda rate: bool(rate["patients"] <= rate["cells"]),
    f"{_RATE_TEXT}, and sd above 0",
)

_KEYS: dict[str, CoreSchema] = {
    "classes": _where(
        schemas.any_schema(),
        lambda found: found == [*CLASSES],
        f"the classes {' and '.join(CLASSES)}, in this order",
    ),
    "architecture": _object(
        alpha=_above(0, LARGEST_ALPHA),
        classes=schemas.int_schema(ge=2, le=2, metadata=_allowed("2")),
        activation=_one_of(Activation),
        padding=_one_of(Padding),
        bn_epsilon=_above(0, 1),
        body=_one_of(Body),
    ),
    "view": _one_of(InputTransform),
    "orientations": _whole(1, 4),
    "preprocessing": _object(
        ("dark_share",),  # missing in models of earlier versions
        color=_TEXT,
        outline=_TEXT,
        crop=_TEXT,
        resample=_TEXT,
        size=_whole(SMALLEST_SIZE, LARGEST_SIZE),
        background=_whole(0, 254),
        dark_share=_INNER,
    ),
    "temperature": _number(MIN_TEMPERATURE, MAX_TEMPERATURE),
    "threshold": _object(
        value=_INNER,
        aim=_where(
            _OPERATING_POINT,
            lambda aim: (aim["kind"] == "balanced") == (aim["at_least"] is None),
            "kind and at_least, which is null for balanced and a number otherwise",
        ),
        met=schemas.bool_schema(metadata=_allowed("true or false")),
        sensitivity=_SHARE,
        specificity=_SHARE,
    ),
    "band": _where(
        _object(low=_SHARE, high=_SHARE, error_rate=_INNER),
        lambda band: bool(band["low"] <= band["high"]),
        "low, high and error_rate, with low not above high",
    ),
    "false_positives": _or_null(
        _where(_RATE, lambda rate: bool(rate["patients"] <= rate["cells"]), _RATE_TEXT),
        f"{_RATE_TEXT}, or null",
    ),
    "counting": _or_null(
        _where(
            _object(threshold=_INNER, false_positives=_PATIENT_RATE, sensitivity=_PATIENT_RATE),
            lambda point: bool(point["sensitivity"]["rate"] > point["false_positives"]["rate"]),
            "threshold, false_positives and sensitivity, with more of the latter",
        ),
        "threshold, false_positives and sensitivity, or null",
    ),
    "healthy_log_odds": _or_null(
        _object(mean=_number(-50, 50), sd=_number(0, 50), patients=_COUNT),
        "mean, sd and patients, or null",
    ),
    "reference": _where(
        schemas.any_schema(),
        lambda found: found is None or _is_reference(found),
        "mean, covariance, limit, review and strange, or null",
    ),
    "patients": _where(
        schemas.any_schema(),
        lambda patients: patients is None or is_hashed(patients),
        "salt, training and validation, with hexadecimal hashes, or null",
    ),
    "about": _where(
        schemas.dict_schema(),
        _is_bounded,
        "an object with at most 100,000 values, not nested too deeply",
    ),
}

#: Missing in older models, and in those of few or unknown patients.
_OPTIONAL = {"false_positives", "counting", "healthy_log_odds", "reference", "patients"}

#: Other keys are ignored, as they always were.
_SCHEMA = schemas.typed_dict_schema(
    {
        key: schemas.typed_dict_field(schema, required=key not in _OPTIONAL)
        for key, schema in _KEYS.items()
    }
)
_VALIDATOR = SchemaValidator(_SCHEMA)
