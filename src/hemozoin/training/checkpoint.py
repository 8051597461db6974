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
from hemozoin.files import replace_file, require_regular_file
from hemozoin.json_files import parse_json

#: Metrics of one epoch by name: a row of results.csv.
EpochRow = dict[str, float]

#: The columns of results.csv.
EPOCH_COLUMNS = (
    *("epoch", "train_loss", "val_loss", "val_accuracy", "val_auc"),
    *("learning_rate", "seconds"),
)

#: The tensors that an optimizer keeps for each parameter.
_STATE: dict[type[Optimizer], set[str]] = {
    torch.optim.AdamW: {"step", "exp_avg", "exp_avg_sq"},
    torch.optim.RMSprop: {"step", "square_avg", "momentum_buffer"},
}


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
        require_regular_file(path)
        content = path.read_bytes()  # safetensors opens no path that is not UTF-8
        tensors = safetensors.torch.load(content)
        rows = _read_rows(_metadata(content)["rows"])
        weights, state = _with_prefix("model/", tensors), _with_prefix("optimizer/", tensors)
        if not all(tensor.isfinite().all() for tensor in weights.values()):
            raise ValueError("weights that are not finite")
        optimizer.load_state_dict(_optimizer_state(optimizer, state))
        model.load_state_dict(weights)
    except (safetensors.SafetensorError, LookupError, OSError, RuntimeError, ValueError) as error:
        raise RunError(f"{path}: damaged or of another run; delete it to start over") from error
    return rows


def _metadata(content: bytes) -> dict[str, str]:
    """Return the metadata of a .safetensors: its length, a JSON header, then the tensors."""
    length = int.from_bytes(content[:8], "little")
    metadata: dict[str, str] = parse_json(content[8 : 8 + length])["__metadata__"]
    return metadata


def _read_rows(text: str) -> list[EpochRow]:
    """Return the rows of results; raises ValueError where they are not those of epochs 1, 2, ..."""
    rows = parse_json(text)
    if not isinstance(rows, list):
        raise ValueError("not a list")
    for epoch, row in enumerate(rows, 1):
        if not isinstance(row, dict) or tuple(row) != EPOCH_COLUMNS or row["epoch"] != epoch:
            raise ValueError(f"epoch {epoch} is not complete")
        if not all(type(value) in (int, float) for value in row.values()):
            raise ValueError(f"epoch {epoch} has values that are no numbers")
    return rows


def _with_prefix(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors whose names begin with the prefix, the prefix removed."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _optimizer_state(optimizer: Optimizer, tensors: dict[str, Tensor]) -> dict[str, Any]:
    """Return the state dict; raises LookupError or ValueError where it is of another optimizer."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    names = _STATE[type(optimizer)]
    if tensors.keys() != {f"{index}/{name}" for index in range(len(parameters)) for name in names}:
        raise ValueError("other tensors")
    state: dict[int, dict[str, Tensor]] = {index: {} for index in range(len(parameters))}
    for name, tensor in tensors.items():
        index, key = name.split("/")
        parameter = parameters[int(index)]
        if tensor.shape != (() if key == "step" else parameter.shape):
            raise ValueError(f"{name} has another shape")
        state[int(index)][key] = _with_strides_of(parameter, tensor.float())
    return {"state": state, "param_groups": optimizer.state_dict()["param_groups"]}


def _with_strides_of(parameter: Tensor, tensor: Tensor) -> Tensor:
    """Return the tensor with its parameter's strides, which a fused optimizer needs."""
    if tensor.shape != parameter.shape:
        return tensor
    return torch.empty_like(parameter, dtype=tensor.dtype).copy_(tensor).detach()
