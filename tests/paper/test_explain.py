from __future__ import annotations

import json
import math
import re
import subprocess
import sys
import textwrap
from collections import Counter
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from hemozoin.cli.verbs.explain import explain_app
from hemozoin.errors import HemozoinError, RunError
from hemozoin.mobilenet.architecture import Architecture, layers
from hemozoin.mobilenet.cost import cost
from hemozoin.mobilenet.network import MobileNet
from hemozoin.paper.explain.block import CODE
from hemozoin.paper.explain.chapters import Chapters, all_chapters
from hemozoin.paper.explain.depthwise import explain_depthwise, read_sizes
from hemozoin.paper.explain.network import explain_network, memory
from hemozoin.paper.explain.page import render_explanation
from hemozoin.paper.explain.spatial import EXAMPLE_KERNEL, NAMED, explain_kernel, number
from hemozoin.paper.separable import Shapes
from hemozoin.reports.page import write_page


def explain(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run the verb as the command line does and return its output."""
    explain_app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    return capsys.readouterr().out


# ---- a kernel --------------------------------------------------------------------------------


def test_the_example_kernel(capsys: pytest.CaptureFixture[str]) -> None:
    result = json.loads(explain(capsys, "separable", EXAMPLE_KERNEL, "--json"))
    assert (result["column"], result["row"]) == ([[5], [10], [15]], [[1, 2, 3]])
    assert (result["rank"], result["separable"], result["error"]) == (1, True, 0)
    assert result["multiplications_per_pixel"]["kernel"] == 9
    assert result["multiplications_per_pixel"]["column_and_row"] == 6
    assert result["on_a_picture"]["largest_difference"] == 0
    assert result["rank_means"] == "one column times one row makes the kernel"
    assert "no error" in result["singular_values_mean"]
    text = explain(capsys, "separable", EXAMPLE_KERNEL)
    assert "1: one column times one row makes the kernel" in text
    assert re.search(r"10 +20 +30 += +10 +· +1 +2 +3\n", text)
    assert "3 + 3 = 6" in text


@pytest.mark.parametrize(
    ("name", "column", "row"),
    [("sobel", [1, 2, 1], [-1, 0, 1]), ("gauss", [1 / 16, 1 / 8, 1 / 16], [1, 2, 1])],
)
def test_sobel_and_gauss_are_separable(name: str, column: list[float], row: list[float]) -> None:
    result = explain_kernel(name).to_dict()
    assert result["name"] == name
    assert result["separable"]
    assert result["column"] == [[x] for x in column]
    assert result["row"] == [row]
    assert result["kernel"] == result["product"] == NAMED[name]


def test_laplace_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    result = explain_kernel("laplace").to_dict()
    assert (result["rank"], result["separable"]) == (2, False)
    assert result["multiplications_per_pixel"]["exactly_by_columns_and_rows"] == 12
    difference = np.linalg.norm(np.subtract(result["product"], result["kernel"]))
    assert difference / np.linalg.norm(result["kernel"]) == pytest.approx(result["error"])
    text = explain(capsys, "separable", "laplace")
    assert "loses 10.05 % of the kernel" in text
    assert "a sum of 2 products of a column and a row" in text
    first, *others = result["singular_values"]
    lost = math.hypot(*others) / math.hypot(first, *others)
    assert f"√(sum of all²) = {100 * lost:.2f} %" in result["singular_values_mean"]
    assert "√(sum of the others²) / √(sum of all²) = 10.05 %" in " ".join(text.split())
    assert "≈" in text


@pytest.mark.parametrize("kernel", [EXAMPLE_KERNEL, *NAMED, "[[1,2,0.5]]", "[[3],[-1]]"])
def test_the_picture_is_filtered_as_torch_would(kernel: str) -> None:
    explained = explain_kernel(kernel)
    found, cell = explained.separation, explained.filtered
    assert cell.cell.shape[2] == 3
    green = torch.from_numpy(cell.cell[..., 1].astype(np.float64))[None, None]

    def filtered(x: torch.Tensor, weights: Any) -> torch.Tensor:
        return F.conv2d(x, torch.from_numpy(weights)[None, None])

    by_column = filtered(green, found.column)
    by_factors = filtered(by_column, found.row)
    by_kernel = filtered(green, found.kernel)
    for response, expected in (
        (cell.by_column, by_column),
        (cell.by_factors, by_factors),
        (cell.by_kernel, by_kernel),
    ):
        np.testing.assert_allclose(response, expected[0, 0], atol=1e-9)
    difference = (by_factors - by_kernel).abs().max().item()
    assert cell.largest_difference == pytest.approx(difference, abs=1e-9)
    assert cell.largest_response == pytest.approx(by_kernel.abs().max().item())
    assert ("give the kernel's result" in explained.comparison) is found.separable
    assert ("give a different result" in explained.comparison) is not found.separable


@pytest.mark.parametrize(
    "kernel",
    [
        *("prewitt", "", "[", "3", "[]", "[[]]", "[1,2]", "[[1,2],[3]]", "[[1],2]", '[["1"]]'),
        *("[[true]]", "[[null]]", "[[NaN]]", "[[Infinity]]", "[[1e10]]", '{"a":1}', "[[[1]]]"),
        *("[[1" + "0" * 400 + "]]", "[" * 100_000, str([[1] * 16]), str([[1]] * 16)),
    ],
)
def test_bad_kernels_get_one_line(kernel: str) -> None:
    with pytest.raises(HemozoinError) as caught:
        explain_kernel(kernel)
    message = str(caught.value)
    assert "\n" not in message
    assert (
        "give one of sobel, gauss, laplace, or rows of numbers, all of the same length" in message
    )
    assert len(message) < 300


def test_a_kernel_of_zeros_gets_one_line() -> None:
    with pytest.raises(HemozoinError, match="give at least one other number"):
        explain_kernel("[[0,0],[0,0]]")


# ---- the two steps ---------------------------------------------------------------------------


def test_the_example_of_the_two_steps(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("depthwise", "--input", "12x12x3", "--filters", "256", "--kernel", "5")
    result = json.loads(explain(capsys, *arguments, "--json"))
    assert result["output"] == [8, 8, 256]
    assert result["multiplications"] == {
        "full": 1_228_800,
        "depthwise": 4_800,
        "pointwise": 49_152,
        "pair": 53_952,
    }
    assert result["weights"] == {"full": 19_200, "pair": 843}
    assert result["ratio"] == pytest.approx(1 / 256 + 1 / 25)
    assert result["ratio_exact"] == "281/6400"
    assert result["proof"]["largest_difference"] == 0
    assert "49,152" in result["note"]
    text = explain(capsys, *arguments)
    for words in ("1,228,800", "4,800", "49,152", "53,952", "8×8×3", "8×8×256", "22.8 times fewer"):
        assert words in text
    assert "leaves the first step out" in text


def test_other_shapes_have_no_note_and_large_ones_are_checked_at_a_smaller_size(
    capsys: pytest.CaptureFixture[str],
) -> None:
    large = ("depthwise", "--input", "112x112x64", "--filters", "128", "--kernel", "3x3")
    result = json.loads(explain(capsys, *large, "--padding", "1", "--json"))
    assert result["note"] is None
    assert result["multiplications"]["full"] == 9 * 64 * 128 * 112 * 112
    assert result["proof"] == {
        "on": "16×16×8 picture, 8 kernels of 3×3×8, stride 1, padding 1",
        "largest_difference": 0,
        "largest_number": result["proof"]["largest_number"],
    }
    assert "nothing saved" in explain(capsys, "depthwise", "--input", "9x9x4", "--filters", "1")


@pytest.mark.parametrize(
    "shapes",
    [
        Shapes(65_536, 65_536, 65_536, 65_536, (1, 1)),
        Shapes(65_536, 65_536, 1, 1, (1, 1), stride=65_536),
        Shapes(1, 1, 1, 1, (131_073, 131_073), padding=65_536),
        Shapes(20, 1, 4096, 4096, (20, 1), stride=3, padding=2),
    ],
)
def test_the_check_of_large_shapes_is_quick(shapes: Shapes) -> None:
    check = explain_depthwise(shapes).check
    assert check.largest_difference == 0
    assert check.shapes.full <= 5_000_000


def test_groups_are_counted_too(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("depthwise", "--input", "8x8x12", "--filters", "30", "--kernel", "3")
    result = json.loads(explain(capsys, *arguments, "--groups", "6", "--json"))
    assert result["grouped"] == {"groups": 6, "multiplications": 9 * 2 * 30 * 36}
    assert "in 6 groups" in explain(capsys, *arguments, "--groups", "6")
    with pytest.raises(HemozoinError, match=r"groups is 5; give a divisor of .*: 1, 2, 3, 6"):
        explain(capsys, *arguments, "--groups", "5")
    with pytest.raises(HemozoinError, match="groups is 0; give a divisor"):
        explain_depthwise(groups=0)


@pytest.mark.parametrize("text", ["12x12", "12x12x3x1", "12xax3", "", "-1x2x3", "1.5x2x3", "1x2x²"])
def test_bad_sizes_get_one_line(text: str) -> None:
    with pytest.raises(HemozoinError, match=r"^input is .*; give whole numbers such as 12x12x3$"):
        read_sizes(text, "input", (3,))


def test_sizes_are_read() -> None:
    assert read_sizes("12x10×3", "input", (3,)) == (12, 10, 3)
    assert read_sizes("5", "kernel", (1, 2)) == (5,)


# ---- the block with batch norm and ReLU ------------------------------------------------------


def separable_block(channels: int, filters: int, stride: int) -> nn.Sequential:
    """Run exactly the code that is shown, and return the block that it makes."""
    names: dict[str, Any] = {}
    exec(compile(CODE, "the block in torch", "exec"), names)
    block = names["separable_block"](channels, filters, stride)
    assert isinstance(block, nn.Sequential)
    return block


@pytest.mark.parametrize(("alpha", "size"), [(1.0, 224), (0.25, 64), (0.37, 97)])
def test_the_shown_code_is_every_block_of_the_network(alpha: float, size: int) -> None:
    counted = cost(layers(Architecture(alpha=alpha), size)).layers[1:-2]
    for depthwise, pointwise in zip(counted[::2], counted[1::2], strict=True):
        first, last = depthwise.layer, pointwise.layer
        with torch.device("meta"):
            block = separable_block(first.channels_in, last.channels_out, first.stride)
            x = torch.empty(2, first.channels_in, first.size_in, first.size_in)
        assert block(x).shape == (2, last.channels_out, last.size_out, last.size_out), first.name
        parameters = sum(p.numel() for p in block.parameters())
        assert parameters == depthwise.parameters + pointwise.parameters, first.name


def test_the_shown_code_computes_what_the_network_computes() -> None:
    network = MobileNet(Architecture(alpha=0.25)).train()
    unit = network.body.get_submodule("depthwise2"), network.body.get_submodule("pointwise2")
    block = separable_block(16, 32, stride=2)
    pairs = zip(nn.Sequential(*unit).state_dict().values(), block.state_dict(), strict=True)
    block.load_state_dict({name: tensor for tensor, name in pairs})
    x = torch.randn(4, 16, 13, 13)
    torch.testing.assert_close(block(x), unit[1](unit[0](x)))


@pytest.mark.slow
def test_the_code_is_ten_lines_and_is_shown_everywhere(
    capsys: pytest.CaptureFixture[str], page: str
) -> None:
    assert sum(bool(line.strip()) for line in CODE.splitlines()) == 10
    assert json.loads(explain(capsys, "depthwise", "--json"))["block"]["code"] == CODE
    assert textwrap.indent(CODE.rstrip(), "  ") in explain(capsys, "depthwise")
    assert f'<pre class="code">{CODE}</pre>' in page


def test_batch_norm_and_relu_are_what_torch_does(capsys: pytest.CaptureFixture[str]) -> None:
    block = json.loads(explain(capsys, "depthwise", "--json"))["block"]
    assert block["batch_norm"].startswith("y = γ · (x − mean) / √(variance + ε) + β ")
    assert block["relu"].startswith("y = max(0, x) ")
    norm, x = nn.BatchNorm2d(3, eps=0.1), torch.randn(4, 3, 5, 5)
    nn.init.uniform_(norm.weight)
    nn.init.uniform_(norm.bias)
    mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
    scaled = (x.movedim(1, -1) - mean) / (variance + norm.eps).sqrt() * norm.weight + norm.bias
    torch.testing.assert_close(norm(x), scaled.movedim(-1, 1))
    assert torch.equal(F.relu(x), x.clamp(min=0))


def test_the_layers_of_the_shown_block_are_those_of_figure_3(
    capsys: pytest.CaptureFixture[str],
) -> None:
    block = json.loads(explain(capsys, "depthwise", "--json"))["block"]
    names = {nn.BatchNorm2d: "BN", nn.ReLU: "ReLU"}
    made = []
    for module in separable_block(4, 8, 1):
        if isinstance(module, nn.Conv2d):
            depthwise = "Depthwise " if module.groups > 1 else ""
            made.append(f"{module.kernel_size[0]}×{module.kernel_size[1]} {depthwise}Conv")
        else:
            made.append(names[type(module)])
    assert block["separable"] == made
    assert block["full"] == ["3×3 Conv", "BN", "ReLU"]


# ---- the network -----------------------------------------------------------------------------


def saved_bytes(architecture: Architecture, size: int, batch: int) -> int:
    """Measure the memory that autograd keeps after a forward pass, without weights and buffers."""
    network = MobileNet(architecture).train()
    held = {t.untyped_storage().data_ptr() for t in network.state_dict().values()}
    saved: dict[int, torch.Tensor] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        saved[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        network(torch.rand(batch, 3, size, size))
    return sum(t.untyped_storage().nbytes() for key, t in saved.items() if key not in held)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("alpha", "size", "body"),
    [
        (1.0, 224, "separable"),
        (0.25, 64, "separable"),
        (0.5, 97, "full"),
        (0.37, 32, "shallow"),
        (0.1, 160, "separable"),
    ],
)
def test_training_memory_is_what_autograd_keeps(alpha: float, size: int, body: Any) -> None:
    architecture = Architecture(alpha, classes=2, body=body)
    two, three = (saved_bytes(architecture, size, batch) for batch in (2, 3))
    explained = explain_network(architecture, size)
    assert explained.training_bytes == three - two
    # For the whole batch: each channel's mean and inverse standard deviation, in batch norm.
    channels = sum(row.layer.channels_out for row in explained.rows[:-2])
    assert two - 2 * explained.training_bytes == 2 * channels * 4


def test_training_memory_in_json_and_text(capsys: pytest.CaptureFixture[str]) -> None:
    totals = json.loads(explain(capsys, "network", "--json"))["totals"]
    assert totals["training_activation_bytes"] == 40_947_712
    assert totals["activation_bytes"] == 20_178_848
    text = " ".join(explain(capsys, "network").split())
    assert "in training 40.95 MB per picture" in text
    assert "layer outputs 20.18 MB per picture" in text


@pytest.mark.parametrize("alpha", [0.5, 0.1])  # pointwise1 or conv1 needs the most memory
def test_the_layer_table_is_that_of_the_network(
    capsys: pytest.CaptureFixture[str], alpha: float
) -> None:
    arguments = ("network", "--alpha", str(alpha), "--size", "160", "--classes", "10")
    result = json.loads(explain(capsys, *arguments, "--json"))
    with torch.device("meta"):
        network = MobileNet(Architecture(alpha=alpha, classes=10))
        x = torch.empty(1, 3, 160, 160)
    most = 0
    for (name, unit), layer in zip(network.body.named_children(), result["layers"], strict=False):
        assert isinstance(unit, nn.Sequential)
        y = unit(x)
        assert name == layer["name"]
        assert y.shape == (1, layer["channels_out"], layer["size_out"], layer["size_out"])
        assert layer["parameters"] == sum(p.numel() for p in unit.parameters())
        filters = unit.get_parameter("conv.weight")
        assert layer["mult_adds"] == filters.numel() * y.shape[2] * y.shape[3]
        assert layer["activation_bytes"] == y.numel() * y.element_size()
        most = max(most, (x.numel() + y.numel()) * y.element_size())
        x = y
    assert [layer["name"] for layer in result["layers"][-2:]] == ["pool", "linear"]
    assert result["totals"]["peak_activation_bytes"] == most
    assert result["totals"]["parameters"] == sum(p.numel() for p in network.parameters())
    assert result["totals"]["mult_adds"] == sum(layer["mult_adds"] for layer in result["layers"])
    assert sum(share["mult_adds"] for share in result["shares"]) == pytest.approx(1)


def test_the_receptive_field_is_what_an_output_pixel_depends_on() -> None:
    rows = {row.layer.name: row.receptive_field for row in explain_network().rows}
    network = MobileNet(Architecture(alpha=1e-9)).eval()  # one channel wide
    for parameter in network.body.parameters():
        torch.nn.init.ones_(parameter)
    x = torch.ones(1, 3, 704, 704, requires_grad=True)
    y = x
    for name, unit in network.body.named_children():
        y = unit(y)
        if name in (
            "conv1",
            "depthwise2",
            "pointwise4",
            "depthwise6",
            "depthwise11",
            "pointwise13",
        ):
            centre = y[0, 0, y.shape[2] // 2, y.shape[3] // 2]
            (gradient,) = torch.autograd.grad(centre, x, retain_graph=True)
            assert rows[name] == (gradient[0, 0].abs().sum(0) > 0).sum().item(), name
    assert rows["pointwise13"] == 315
    assert rows["linear"] == 315 + 6 * 32


def test_the_network_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    text = explain(capsys, "network", "--alpha", "0.5", "--size", "160")
    assert re.search(r"pointwise13 +1×1×512×512 +5×5×512 +263,168 +6,553,600 +315 +51.2 kB", text)
    assert re.search(r"total +1,331,592 +76,524,800", text)
    whole = explain(capsys, "network")
    assert "568,740,352" in whole
    assert re.search(r"pointwise 1×1 +94.86 % +74.59 %", whole)


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        (("--alpha", "0"), "above 0"),
        (("--alpha", "-1"), "above 0"),
        (("--alpha", "nan"), "above 0"),
        (("--size", "31"), "from 32 to 1,024"),
        (("--classes", "0"), "from 1 to 100,000"),
    ],
)
def test_bad_networks_get_one_line(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], allowed: str
) -> None:
    with pytest.raises(HemozoinError, match=allowed):
        explain(capsys, "network", *arguments)


# ---- everything ------------------------------------------------------------------------------


def test_tables_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    text = explain(capsys, "tables")
    assert re.search(r"1.0 MobileNet-160 +67.2 +290 +≠ 290.68 +4.2 +4.232\n", text)
    assert re.search(r"0.5 MobileNet-224 +63.7 +149 +149.50 +1.3 +1.332\n", text)
    assert re.search(r"Conv 3×3 +1.19 +≠ 1.9056", text)
    assert "Conv dw / s2 ≠ Conv dw / s1" in text
    assert "accuracies are the paper's; they were not measured again" in " ".join(text.split())
    assert len(json.loads(explain(capsys, "tables", "--json"))) == 7


def test_everything_at_once_fits_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    text = explain(capsys)
    assert max(map(len, text.splitlines())) <= 80
    for words in ("Laplace kernel", "53,952", "568,740,352", "Table 7."):
        assert words in text
    result = json.loads(explain(capsys, "--json"))
    assert [kernel["name"] for kernel in result["separable"]] == ["kernel", *NAMED]
    assert set(result) == {"separable", "depthwise", "network", "tables"}


@pytest.mark.slow
def test_needs_neither_torch_nor_for_text_matplotlib() -> None:
    code = (
        "import sys\n"
        "from hemozoin.cli.verbs.explain import explain_app\n"
        "explain_app([], result_action='return_value')\n"
        "assert 'torch' not in sys.modules and 'matplotlib' not in sys.modules\n"
        "from hemozoin.paper.explain.page import render_explanation\n"
        "from hemozoin.paper.explain.chapters import all_chapters\n"
        "render_explanation(all_chapters())\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize(
    ("value", "written"),
    [(5, "5"), (-4.0, "-4"), (1 / 16, "0.0625"), (0.44949, "0.4495"), (32430, "32,430"), (0, "0")],
)
def test_number(value: float, written: str) -> None:
    assert number(value) == written


@pytest.mark.parametrize(
    ("size", "written"), [(8, "8 B"), (999, "999 B"), (51_200, "51.2 kB"), (1_605_632, "1.61 MB")]
)
def test_memory(size: int, written: str) -> None:
    assert memory(size) == written


# ---- the page --------------------------------------------------------------------------------


class Page(HTMLParser):
    """Collects what the tests check; fails on tags that are not nested."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.uncoloured = 0
        self.open: list[str] = []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags[tag] += 1
        self.links += [given[name] or "" for name in ("src", "href", "xlink:href") if name in given]
        self.ids += [given["id"] or ""] if "id" in given else []
        if tag == "text":
            self.uncoloured += "fill: var(--" not in (given.get("style") or "")
        if tag == "img":
            assert given["alt"]
        if tag == "svg":
            assert given["aria-label"]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def page() -> str:
    return render_explanation(all_chapters())


def test_the_page_is_complete_and_needs_no_other_file(page: str) -> None:
    found = Page(page)
    assert page.startswith("<!doctype html>")
    assert all(link.startswith(("data:image/png", "#")) for link in found.links)
    assert not re.search(r"@import|url\((?!['\"]?#)|https?://(?!www\.w3\.org/)", page)
    assert [name for name, times in Counter(found.ids).items() if times > 1 and name] == []
    # 4 products and Laplace's own grid; 3 steps; cost; Figure 3; 2 network rows; shares; sizes.
    assert (found.tags["svg"], found.tags["img"]) == (5 + 3 + 1 + 1 + 2 + 1 + 1, 4 * 4)
    assert found.tags["script"] == 0
    assert len(page) < 1_000_000


def test_drawings_have_the_colours_of_the_page_in_dark_mode_too(page: str) -> None:
    assert Page(page).uncoloured == 0
    assert not re.search(r"(?:fill|stroke): #|#00000\d", page)
    assert "prefers-color-scheme: dark" in page


@pytest.mark.slow
def test_the_same_page_twice(page: str) -> None:
    assert render_explanation(all_chapters()) == page


def test_the_page_shows_the_results(page: str) -> None:
    words = " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())
    for expected in (
        "1,228,800",
        "53,952",
        "leaves the first step out",
        "1/256 + 1/25 = 281/6400 = 4.39 %",
        "largest difference 0 in 16,384 whole numbers",
        "568,740,352",
        "4,231,976",
        "pointwise 1×1 94.86 % 74.59 %",
        "290 290.68",
        "1.19 1.9056",
        "accuracies are the paper's",
        "The cell is synthetic: drawn by a program. The green channel was filtered.",
        "rank 1: one column times one row makes the kernel",
        "The singular values are the sizes of these products",
        "y = γ · (x − mean) / √(variance + ε) + β",
        "y = max(0, x)",
        "40.95 MB per picture, kept for the backward pass",
    ):
        assert expected in words, expected
    assert page.count('class="differs"') == 4
    assert 'aria-label="Figure 3 of the paper: where batch norm and ReLU are"' in page
    assert not re.search(r"\bnan\b|\bNone\b", words)


def test_the_last_two_pictures_are_equal_where_the_kernel_is_separable(page: str) -> None:
    pictures = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    equal = [pictures[k + 2] == pictures[k + 3] for k in range(0, 16, 4)]
    assert equal == [True, True, True, False]


def test_a_page_of_one_chapter(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "new" / "page.html"
    assert explain(capsys, "separable", "[[1,2,3,4,5,6,7]]", "--html", str(path)) == f"{path}\n"
    page = path.read_text(encoding="utf-8")
    assert Page(page).tags["svg"] == 1
    for heading in ("filter first", "The network", "The paper's tables"):
        assert heading not in page
    assert [file.name for file in path.parent.iterdir()] == ["page.html"]
    result = explain(capsys, "separable", "sobel", "--json", "--html", str(path))
    assert json.loads(result)["name"] == "sobel"


@pytest.mark.slow
@pytest.mark.parametrize(
    "chapters",
    [
        Chapters(depthwise=explain_depthwise(Shapes(7, 9, 1, 1, (2, 3)))),
        Chapters(depthwise=explain_depthwise(Shapes(8, 8, 12, 30, (3, 3)), groups=6)),
        Chapters(network=explain_network(Architecture(0.25, 2, body="full"), 33)),
        Chapters(kernels=(explain_kernel(str(np.arange(225).reshape(15, 15).tolist())),)),
    ],
)
def test_pages_of_other_shapes(chapters: Chapters) -> None:
    page = render_explanation(chapters)
    assert Page(page).uncoloured == 0
    assert ("in 6 groups" in page) is bool(chapters.depthwise and chapters.depthwise.groups == 6)


def test_a_page_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="can't be written"):
        write_page(render_explanation(Chapters()), tmp_path / "file" / "page.html")
    with pytest.raises(RunError, match="can't be written"):
        write_page(render_explanation(Chapters()), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
