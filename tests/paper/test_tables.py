"""Every count of the paper's tables, compared with the torch network or torch's own counter."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from hemozoin.mobilenet.architecture import Architecture
from hemozoin.mobilenet.network import MobileNet
from hemozoin.paper.tables import Table, TableEntry, paper_tables

#: The network that a row of Tables 4 to 7 is about, and its input size.
NETWORKS: dict[str, tuple[dict[str, Any], int]] = {
    "Conv MobileNet": ({"body": "full"}, 224),
    "MobileNet": ({}, 224),
    "0.75 MobileNet": ({"alpha": 0.75}, 224),
    "Shallow MobileNet": ({"body": "shallow"}, 224),
    "1.0 MobileNet-224": ({}, 224),
    "0.75 MobileNet-224": ({"alpha": 0.75}, 224),
    "0.5 MobileNet-224": ({"alpha": 0.5}, 224),
    "0.25 MobileNet-224": ({"alpha": 0.25}, 224),
    "1.0 MobileNet-192": ({}, 192),
    "1.0 MobileNet-160": ({}, 160),
    "1.0 MobileNet-128": ({}, 128),
}


@pytest.fixture(scope="module")
def tables() -> dict[int, Table]:
    return {table.number: table for table in paper_tables()}


def network(**architecture: Any) -> MobileNet:
    with torch.device("meta"):
        return MobileNet(Architecture(**architecture))


def run(net: nn.Module, size: int) -> Iterator[tuple[nn.Module, torch.Tensor, torch.Tensor]]:
    """Run a network and yield each layer that has weights, with its input and output."""
    calls: list[Any] = []
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(lambda m, x, y: calls.append((m, x[0], y)))
    net(torch.empty(1, 3, size, size, device="meta"))
    yield from calls


def entries(table: Table) -> dict[tuple[str, str], TableEntry]:
    return {
        (row.name, column): entry
        for row in table.rows
        for column, entry in zip(table.columns, row.entries, strict=True)
    }


def test_exactly_these_numbers_differ_and_each_has_a_reason(tables: dict[int, Table]) -> None:
    differing = {
        (number, *key): (entry.printed, entry.counted)
        for number, table in tables.items()
        for key, entry in entries(table).items()
        if not entry.agrees
    }
    assert differing == {
        (1, "18", "Type / stride"): ("Conv dw / s2", "Conv dw / s1"),
        (2, "Conv 3×3", "Mult-adds, %"): ("1.19", pytest.approx(1.9056, abs=1e-4)),
        (4, "Conv MobileNet", "Million mult-adds"): ("4866", 4867.293184),
        (7, "1.0 MobileNet-160", "Million mult-adds"): ("290", 290.6752),
    }
    noted = {(n, row.name) for n, table in tables.items() for row in table.rows if row.note}
    assert noted == {(number, name) for number, name, _ in differing}
    assert "4866.27" in tables[4].rows[0].note


def test_table_1_is_the_network(tables: dict[int, Table]) -> None:
    lines = [row.entries for row in tables[1].rows]
    made: Counter[tuple[str, str, str]] = Counter()
    for module, x, _ in run(network(), 224):
        if isinstance(module, nn.Conv2d):
            out, inside, height, width = module.weight.shape
            depthwise = module.groups > 1
            channels = f"{out} dw" if depthwise else f"{inside}×{out}"
            kind = f"Conv{' dw' if depthwise else ''} / s{module.stride[0]}"
            size = f"{x.shape[2]}×{x.shape[3]}×{x.shape[1]}"
            made[kind, f"{height}×{width}×{channels}", size] += 1
    written = [(f"{n}× {kind}" if n > 1 else kind, *rest) for (kind, *rest), n in made.items()]
    assert [tuple(entry.counted for entry in line) for line in lines[:-3]] == written
    assert sum(made.values()) + 1 == 28  # section 3.2: "MobileNet has 28 layers"


def test_table_2_is_what_torch_counts(tables: dict[int, Table]) -> None:
    work: Counter[str] = Counter()
    weights: Counter[str] = Counter()
    for module, _, y in run(network(), 224):
        name = "Fully Connected"
        if isinstance(module, nn.Conv2d):
            pointwise = module.kernel_size == (1, 1)
            name = "Conv 1×1" if pointwise else "Conv DW 3×3" if module.groups > 1 else "Conv 3×3"
        assert isinstance(module.weight, torch.Tensor)
        places = y.shape[2] * y.shape[3] if y.ndim == 4 else 1
        work[name] += module.weight.numel() * places
        weights[name] += module.weight.numel()
    for row in tables[2].rows:
        adds, filters = (entry.counted for entry in row.entries)
        assert adds == pytest.approx(100 * work[row.name] / work.total())
        assert filters == pytest.approx(100 * weights[row.name] / weights.total())


def test_table_3_is_what_torch_counts(tables: dict[int, Table]) -> None:
    def count(size: int, channels: int, *, pair: bool) -> tuple[float, float]:
        x = torch.empty(1, channels, size, size, device="meta")
        filters = torch.empty(channels, 1 if pair else channels, 3, 3, device="meta")
        mix = torch.empty(channels, channels, 1, 1, device="meta")
        with FlopCounterMode(display=False) as counter:
            x = F.conv2d(x, filters, padding=1, groups=channels if pair else 1)
            if pair:
                F.conv2d(x, mix)
        weights = filters.numel() + (mix.numel() if pair else 0)
        return counter.get_total_flops() / 2 / 1e6, weights / 1e6

    expected = [
        count(14, 512, pair=False),
        count(14, 512, pair=True),
        count(14, 384, pair=True),
        count(10, 384, pair=True),
    ]
    counted = [tuple(entry.counted for entry in row.entries) for row in tables[3].rows]
    assert counted == [pytest.approx(pair) for pair in expected]
    assert [row.entries[0].printed for row in tables[3].rows] == ["462", "52.3", "29.6", "15.1"]


@pytest.mark.slow
@pytest.mark.parametrize("number", [4, 5, 6, 7])
def test_whole_networks_are_what_torch_counts(tables: dict[int, Table], number: int) -> None:
    for row in tables[number].rows:
        architecture, size = NETWORKS[row.name]
        net = network(**architecture)
        with FlopCounterMode(display=False) as counter:
            net(torch.empty(1, 3, size, size, device="meta"))
        accuracy, mult_adds, parameters = row.entries
        assert mult_adds.counted == counter.get_total_flops() / 2 / 1e6
        assert parameters.counted == sum(p.numel() for p in net.parameters()) / 1e6
        assert accuracy.counted is None  # the paper's own: it can't be counted


def test_the_well_known_numbers_of_the_tables(tables: dict[int, Table]) -> None:
    def printed(number: int) -> list[tuple[str, ...]]:
        return [tuple(entry.printed for entry in row.entries) for row in tables[number].rows]

    assert printed(4) == [("71.7", "4866", "29.3"), ("70.6", "569", "4.2")]
    assert printed(5) == [("68.4", "325", "2.6"), ("65.3", "307", "2.9")]
    assert [row[1:] for row in printed(6)] == [
        ("569", "4.2"),
        ("325", "2.6"),
        ("149", "1.3"),
        ("41", "0.5"),
    ]
    assert [row[0] for row in printed(6)] == ["70.6", "68.4", "63.7", "50.6"]
    assert [row[:2] for row in printed(7)] == [
        ("70.6", "569"),
        ("69.1", "418"),
        ("67.2", "290"),
        ("64.4", "186"),
    ]


@pytest.mark.parametrize(
    ("printed", "counted", "agrees"),
    [
        ("569", 568.740352, True),
        ("568", 568.740352, False),
        ("4.2", 4.231976, True),
        ("4.2", 4.26, False),
        ("4.20", 4.231976, False),
        ("70.6", None, True),
        ("Conv / s1", "Conv / s1", True),
        ("Conv / s2", "Conv / s1", False),
    ],
)
def test_agrees_means_rounded_as_printed(printed: str, counted: Any, agrees: bool) -> None:
    assert TableEntry(printed, counted).agrees is agrees


def test_survives_json(tables: dict[int, Table]) -> None:
    read = json.loads(json.dumps([table.to_dict() for table in tables.values()], allow_nan=False))
    assert [table["table"] for table in read] == [1, 2, 3, 4, 5, 6, 7]
    assert read[6]["rows"][2] == {
        "name": "1.0 MobileNet-160",
        "entries": {
            "Paper's ImageNet %": {"printed": "67.2", "counted": None, "agrees": True},
            "Million mult-adds": {"printed": "290", "counted": 290.6752, "agrees": False},
            "Million parameters": {"printed": "4.2", "counted": 4.231976, "agrees": True},
        },
        "note": "Cut off after 290, not rounded.",
    }
