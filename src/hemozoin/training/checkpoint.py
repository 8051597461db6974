"""Checkpoints: the state after an epoch, from which a stopped run resumes exactly.

One safetensors file: the tensors of the network and of the optimizer, and, as text in its
header, the rows of results so far. No state of a random generator is saved: every epoch uses its
own generator, seeded by the run's seed and the epoch's number.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from hemozoin.errors import RunError
from hemozoin.files import replace_file

#: Metrics of one epoch by name: a row of results.csv.
EpochRow = dict[str, float]


def save_checkpoint(
    path: Path, model: nn.Module, optimizer: Optimizer, rows: list[EpochRow]
) -> None:
    """Write the state after an epoch; the previous file stays until this one is complete."""
    tensors = {f"model/{name}": tensor for name, tensor in model.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{index}/{name}": value for name, value in state.items()}
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    replace_file(path, safetensors.torch.save(plain, {"rows": json.dumps(rows)}))


def load_checkpoint(path: Path, model: nn.Module, optimizer: Optimizer) -> list[EpochRow]:
    """Load the state into model and optimizer and return the rows; [] if there is no file.

    Raises RunError where the file is damaged or belongs to another network.
    """
    if not path.exists():
        return []
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            rows: list[EpochRow] = json.loads(file.metadata()["rows"])
        model.load_state_dict(_with_prefix("model/", tensors))
        optimizer.load_state_dict(_optimizer_state(optimizer, _with_prefix("optimizer/", tensors)))
    except (safetensors.SafetensorError, RuntimeError, KeyError, ValueError) as error:
        raise RunError(f"{path}: damaged or of another run; delete it to start over") from error
    return rows


def _with_prefix(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors whose names begin with the prefix, the prefix removed."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _optimizer_state(optimizer: Optimizer, tensors: dict[str, Tensor]) -> dict[str, Any]:
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, key = name.split("/")
        state.setdefault(int(index), {})[key] = _with_strides_of(parameters[int(index)], tensor)
    return {"state": state, "param_groups": optimizer.state_dict()["param_groups"]}


def _with_strides_of(parameter: Tensor, tensor: Tensor) -> Tensor:
    """Return the tensor with its parameter's strides, which a fused optimizer needs."""
    if tensor.shape != parameter.shape:
        return tensor
    return torch.empty_like(parameter, dtype=tensor.dtype).copy_(tensor).detach()
