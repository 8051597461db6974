"""Everything that a run needs to go on as if it had never been stopped.

One safetensors file: the tensors of the network and of the optimizer, and, as text in its
header, the rows of results so far. Randomness needs no saving: every epoch draws from its own
generator, seeded by the run's seed and the epoch's number.
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

EpochRow = dict[str, float]


def save_checkpoint(
    path: Path, model: nn.Module, optimizer: Optimizer, rows: list[EpochRow]
) -> None:
    """Write the state after an epoch; the one before stays until this one is whole on disk."""
    tensors = {f"model/{name}": tensor for name, tensor in model.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{index}/{name}": value for name, value in state.items()}
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    replace_file(path, safetensors.torch.save(plain, {"rows": json.dumps(rows)}))


def load_checkpoint(path: Path, model: nn.Module, optimizer: Optimizer) -> list[EpochRow]:
    """Set model and optimizer as they were saved and return the rows; [] if there is no file.

    Raises RunError where the file is damaged or belongs to another network.
    """
    if not path.exists():
        return []
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            rows: list[EpochRow] = json.loads(file.metadata()["rows"])
        model.load_state_dict(_below("model/", tensors))
        optimizer.load_state_dict(_optimizer_state(optimizer, _below("optimizer/", tensors)))
    except (safetensors.SafetensorError, RuntimeError, KeyError, ValueError) as error:
        raise RunError(f"{path}: damaged or of another run; delete it to start over") from error
    return rows


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _optimizer_state(optimizer: Optimizer, tensors: dict[str, Tensor]) -> dict[str, Any]:
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, key = name.split("/")
        state.setdefault(int(index), {})[key] = _laid_out_as(parameters[int(index)], tensor)
    return {"state": state, "param_groups": optimizer.state_dict()["param_groups"]}


def _laid_out_as(parameter: Tensor, tensor: Tensor) -> Tensor:
    """Give a tensor the strides of its parameter: a fused optimizer walks both side by side."""
    if tensor.shape != parameter.shape:
        return tensor
    return torch.empty_like(parameter, dtype=tensor.dtype).copy_(tensor).detach()
