"""Tables 1 to 7 of arXiv 1704.04861 as printed, each number next to the one counted here.

The printed numbers come from a transcript of the paper's HTML edition (ar5iv.org/abs/1704.04861);
those of Tables 1 to 5 were compared with a second transcript. No count uses a printed number:
counts come from `architecture.layers`, `cost.cost` and `separable.Shapes`. The ImageNet accuracies
can't be counted. They are the paper's and were not measured again.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from hemozoin.mobilenet.architecture import Architecture, Layer, LayerKind, layers
from hemozoin.mobilenet.cost import Cost, cost
from hemozoin.paper.separable import Shapes


@dataclass(frozen=True)
class TableEntry:
    """One number of the paper as printed, and the same number counted here."""

    #: As printed, without the unit.
    printed: str
    #: The exact count in the column's unit; a text in Table 1; None where it can't be counted.
    counted: float | str | None

    @property
    def agrees(self) -> bool:
        """Whether the count, rounded as the paper rounds, is the printed number.

        True where there is no count.
        """
        if self.counted is None or isinstance(self.counted, str):
            return self.counted in (None, self.printed)
        decimals = len(self.printed.partition(".")[2])
        return f"{self.counted:.{decimals}f}" == self.printed


@dataclass(frozen=True)
class TableRow:
    """A row of a table: its name, an entry for each column, and why an entry differs, if any."""

    name: str
    entries: tuple[TableEntry, ...]
    note: str = ""

    @property
    def agrees(self) -> bool:
        """Whether all entries agree."""
        return all(entry.agrees for entry in self.entries)


@dataclass(frozen=True)
class Table:
    """A table of the paper. `columns` are the names and units of the entries in each row."""

    number: int
    title: str
    columns: tuple[str, ...]
    rows: tuple[TableRow, ...]
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the table as plain values, ready for JSON."""
        return {
            "table": self.number,
            "title": self.title,
            "rows": [self._row_to_dict(row) for row in self.rows],
            "note": self.note or None,
        }

    def _row_to_dict(self, row: TableRow) -> dict[str, Any]:
        entries = {
            column: {"printed": entry.printed, "counted": entry.counted, "agrees": entry.agrees}
            for column, entry in zip(self.columns, row.entries, strict=True)
        }
        return {"name": row.name, "entries": entries, "note": row.note or None}


def paper_tables() -> tuple[Table, ...]:
    """Return Tables 1 to 7 with all counts computed now."""
    return (_table_1(), _table_2(), _table_3(), _table_4(), _table_5(), _table_6(), _table_7())


# ---- Table 1: the layers ---------------------------------------------------------------------

#: Type and stride, filter shape, input size. "5×" marks the two lines that are repeated 5 times.
_TABLE_1 = (
    ("Conv / s2", "3×3×3×32", "224×224×3"),
    ("Conv dw / s1", "3×3×32 dw", "112×112×32"),
    ("Conv / s1", "1×1×32×64", "112×112×32"),
    ("Conv dw / s2", "3×3×64 dw", "112×112×64"),
    ("Conv / s1", "1×1×64×128", "56×56×64"),
    ("Conv dw / s1", "3×3×128 dw", "56×56×128"),
    ("Conv / s1", "1×1×128×128", "56×56×128"),
    ("Conv dw / s2", "3×3×128 dw", "56×56×128"),
    ("Conv / s1", "1×1×128×256", "28×28×128"),
    ("Conv dw / s1", "3×3×256 dw", "28×28×256"),
    ("Conv / s1", "1×1×256×256", "28×28×256"),
    ("Conv dw / s2", "3×3×256 dw", "28×28×256"),
    ("Conv / s1", "1×1×256×512", "14×14×256"),
    ("5× Conv dw / s1", "3×3×512 dw", "14×14×512"),
    ("5× Conv / s1", "1×1×512×512", "14×14×512"),
    ("Conv dw / s2", "3×3×512 dw", "14×14×512"),
    ("Conv / s1", "1×1×512×1024", "7×7×512"),
    ("Conv dw / s2", "3×3×1024 dw", "7×7×1024"),
    ("Conv / s1", "1×1×1024×1024", "7×7×1024"),
    ("Avg Pool / s1", "Pool 7×7", "7×7×1024"),
    ("FC / s1", "1024×1000", "1×1×1024"),
    ("Softmax / s1", "Classifier", "1×1×1000"),
)

_TYPES: dict[LayerKind, str] = {
    "conv": "Conv",
    "depthwise": "Conv dw",
    "pointwise": "Conv",
    "pool": "Avg Pool",
    "linear": "FC",
}

_MISPRINTS_1 = {
    18: "Misprint: s2 would halve the 7×7 map, but the input of the next line is still 7×7."
}


def _table_1() -> Table:
    every = layers(Architecture(), 224)
    softmax = ("Softmax / s1", "Classifier", _by(1, 1, every[-1].channels_out))
    counted = _merge_equal([*(_line(layer) for layer in every), softmax])
    rows = []
    for number, (printed, line) in enumerate(zip(_TABLE_1, counted, strict=True), start=1):
        entries = tuple(TableEntry(*pair) for pair in zip(printed, line, strict=True))
        rows.append(TableRow(str(number), entries, _MISPRINTS_1.get(number, "")))
    columns = ("Type / stride", "Filter shape", "Input size")
    return Table(1, "MobileNet body architecture", columns, tuple(rows))


def _line(layer: Layer) -> tuple[str, str, str]:
    """Return a layer in the paper's notation: type and stride, filter shape, input size."""
    k = layer.kernel
    filters = {
        "depthwise": f"{_by(k, k, layer.channels_out)} dw",
        "pool": f"Pool {_by(k, k)}",
        "linear": _by(layer.channels_in, layer.channels_out),
    }
    shape = filters.get(layer.kind, _by(k, k, layer.channels_in, layer.channels_out))
    input_size = _by(layer.size_in, layer.size_in, layer.channels_in)
    return f"{_TYPES[layer.kind]} / s{layer.stride}", shape, input_size


def _merge_equal(lines: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """Return equal lines once, with their number in front: "5× Conv / s1"."""
    counts = Counter(lines)
    return [
        (f"{n}× {kind}" if n > 1 else kind, shape, size)
        for (kind, shape, size), n in counts.items()
    ]


def _by(*sizes: int) -> str:
    return "×".join(map(str, sizes))


# ---- Tables 2 and 3: where the cost is -------------------------------------------------------

_FILTERS_ONLY = "Only the parameters of the filters are counted, without batch norm and bias."


def _table_2() -> Table:
    shares = {share.kind: share for share in _cost().shares()}
    misprint = "Misprint: 1.91 with two digits swapped. The four printed numbers add up to 99.29 %."
    rows: list[tuple[str, LayerKind, str, str, str]] = [
        ("Conv 1×1", "pointwise", "94.86", "74.59", ""),
        ("Conv DW 3×3", "depthwise", "3.06", "1.06", ""),
        ("Conv 3×3", "conv", "1.19", "0.02", misprint),
        ("Fully Connected", "linear", "0.18", "24.33", ""),
    ]
    return Table(
        2,
        "Resource per layer type",
        ("Mult-adds, %", "Parameters, %"),
        tuple(
            TableRow(
                name,
                _entries(
                    (mult_adds, 100 * shares[kind].mult_adds),
                    (parameters, 100 * shares[kind].weights),
                ),
                note,
            )
            for name, kind, mult_adds, parameters, note in rows
        ),
        _FILTERS_ONLY,
    )


def _table_3() -> Table:
    """Return Table 3: one 14 × 14 × 512 layer, changed step by step. Only filters are counted."""
    layer = Shapes(14, 14, 512, 512, (3, 3), padding=1)
    thin = Shapes(14, 14, 384, 384, (3, 3), padding=1)  # α = 0.75
    small = Shapes(10, 10, 384, 384, (3, 3), padding=1)  # ρ = 0.714 = 160 / 224
    rows = (
        ("Convolution", "462", layer.full, "2.36", layer.full_weights),
        ("Depthwise Separable Conv", "52.3", layer.pair, "0.27", layer.pair_weights),
        ("α = 0.75", "29.6", thin.pair, "0.15", thin.pair_weights),
        ("ρ = 0.714", "15.1", small.pair, "0.15", small.pair_weights),
    )
    return Table(
        3,
        "Resource usage for modifications to standard convolution",
        ("Million mult-adds", "Million parameters"),
        tuple(
            TableRow(name, _entries((work, mult_adds / 1e6), (size, weights / 1e6)))
            for name, work, mult_adds, size, weights in rows
        ),
        _FILTERS_ONLY,
    )


# ---- Tables 4 to 7: whole networks, with the paper's accuracies ------------------------------

_COLUMNS = ("Paper's ImageNet %", "Million mult-adds", "Million parameters")


def _table_4() -> Table:
    full = _cost(body="full")
    without = (full.mult_adds - full.layers[-1].mult_adds) / 1e6
    note = (
        f"The printed number leaves out the classifier's million ({without:.2f} without it);"
        " the 569 below include it."
    )
    return Table(
        4,
        "Depthwise separable vs full convolution MobileNet",
        _COLUMNS,
        (
            _network_row("Conv MobileNet", ("71.7", "4866", "29.3"), full, note),
            _network_row("MobileNet", ("70.6", "569", "4.2"), _cost()),
        ),
    )


def _table_5() -> Table:
    return Table(
        5,
        "Narrow vs shallow MobileNet",
        _COLUMNS,
        (
            _network_row("0.75 MobileNet", ("68.4", "325", "2.6"), _cost(alpha=0.75)),
            _network_row("Shallow MobileNet", ("65.3", "307", "2.9"), _cost(body="shallow")),
        ),
    )


def _table_6() -> Table:
    printed = {
        1.0: ("70.6", "569", "4.2"),
        0.75: ("68.4", "325", "2.6"),
        0.5: ("63.7", "149", "1.3"),
        0.25: ("50.6", "41", "0.5"),
    }
    rows = (
        _network_row(f"{alpha} MobileNet-224", numbers, _cost(alpha=alpha))
        for alpha, numbers in printed.items()
    )
    return Table(6, "MobileNet width multiplier α", _COLUMNS, tuple(rows))


def _table_7() -> Table:
    printed = {
        224: ("70.6", "569", "4.2"),
        192: ("69.1", "418", "4.2"),
        160: ("67.2", "290", "4.2"),
        128: ("64.4", "186", "4.2"),
    }
    notes = {160: "Cut off after 290, not rounded."}
    rows = (
        _network_row(f"1.0 MobileNet-{size}", numbers, _cost(size), notes.get(size, ""))
        for size, numbers in printed.items()
    )
    return Table(7, "MobileNet resolution ρ", _COLUMNS, tuple(rows))


def _cost(size: int = 224, **architecture: Any) -> Cost:
    return cost(layers(Architecture(**architecture), size))


def _network_row(
    name: str, printed: tuple[str, str, str], counted: Cost, note: str = ""
) -> TableRow:
    accuracy, mult_adds, parameters = printed
    entries = _entries((mult_adds, counted.mult_adds / 1e6), (parameters, counted.parameters / 1e6))
    return TableRow(name, (TableEntry(accuracy, None), *entries), note)


def _entries(*pairs: tuple[str, float]) -> tuple[TableEntry, ...]:
    return tuple(TableEntry(printed, counted) for printed, counted in pairs)
