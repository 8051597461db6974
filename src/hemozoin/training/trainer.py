"""The training loop.

    train the teachers, if the recipe has any
    for every epoch
        for every batch: input transform, augmentation, one step of the optimizer
        validate, save a checkpoint

Order and augmentation of an epoch come from a generator seeded by (seed, epoch, part of the batch):
the same seed gives the same weights, and a resumed run needs no saved state of a generator. Half of
a batch goes to each of two threads, or of the processes of torchrun (see `replicas`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from hemozoin.arrays import Floats, Ints, NamedArrays, Pixels
from hemozoin.classes import CLASSES, POSITIVE
from hemozoin.errors import RunError, TrainingError
from hemozoin.metrics.classification import compute_metrics
from hemozoin.metrics.predictions import LabelledPredictions
from hemozoin.progress import print_status, track
from hemozoin.training import distributed
from hemozoin.training.augmentation import augment, flip, move, resize
from hemozoin.training.checkpoint import EpochRow, load_checkpoint, save_checkpoint
from hemozoin.training.classifier import Classifier
from hemozoin.training.device import keep_freed_memory
from hemozoin.training.distillation import Teachers, teacher_checkpoint
from hemozoin.training.recipe import Recipe
from hemozoin.training.replicas import Replicas
from hemozoin.training.stippling import stipple

#: Share of the steps over which the learning rate rises.
WARM_UP = 0.15

#: Parts of a batch that are trained on at the same time on a CPU, whatever its number of cores: the
#: weights depend on this number, since batch norm takes the statistics of a part.
_PARTS = 2

#: Called with the rows of all epochs so far.
OnEpochEnd = Callable[[list[EpochRow]], None]

#: See `Trainer._loss_function`.
PartLoss = Callable[[Tensor, int, int, nn.Module], Tensor]


@dataclass(frozen=True)
class TrainingData:
    """Cells, their classes, and which of them are trained on.

    `pixels`: all cells, uint8 `[N, S, S, 3]`. `targets`: int `[N]`, the number of each cell's
    class in CLASSES. `train` and `validation`: int row numbers of the training and the validation
    cells, of different patients.
    """

    pixels: Pixels
    targets: Ints
    train: Ints
    validation: Ints

    @property
    def trained_share(self) -> float:
        """The share (0..1) of the training cells that are parasitized."""
        return float((self.targets[self.train] == POSITIVE).mean())


def train_classifier(
    training_data: TrainingData,
    recipe: Recipe,
    device: torch.device,
    checkpoint: Path,
    on_epoch_end: OnEpochEnd,
) -> Classifier:
    """Return a trained classifier; resumes from `checkpoint` if that file exists.

    Where epochs are left, teachers are trained first; each has a checkpoint of its own beside that
    of the classifier.
    `on_epoch_end` is called with the rows so far (epoch, train_loss, val_loss, val_accuracy,
    val_auc, learning_rate, seconds) after every epoch, and once before the first when resuming.
    Raises TrainingError where the loss is infinite or NaN, RunError where the checkpoint is damaged
    or of another run.
    """
    keep_freed_memory()
    trainer = Trainer(training_data, recipe, device)
    rows = load_checkpoint(checkpoint, trainer.classifier, trainer.optimizer)
    if len(rows) > recipe.epochs:
        raise RunError(f"{checkpoint}: has {len(rows)} epochs, the run {recipe.epochs}; delete it")
    if rows and distributed.rank() == 0:
        on_epoch_end(rows)  # a run may have stopped between saving its checkpoint and this call
    if len(rows) < recipe.epochs:
        trainer.teachers = _train_teachers(training_data, recipe, device, checkpoint)
    for epoch in range(len(rows), recipe.epochs):
        started = time.monotonic()
        loss = trainer.train_epoch(epoch)
        row = {"epoch": epoch + 1.0, "train_loss": loss, **trainer.validate(epoch)}
        rows.append(row | {"seconds": time.monotonic() - started})
        if distributed.rank() == 0:
            save_checkpoint(checkpoint, trainer.classifier, trainer.optimizer, rows)
            on_epoch_end(rows)
        distributed.barrier()
    trainer.restore_class_frequencies()
    return trainer.classifier.eval()


def _train_teachers(
    training_data: TrainingData, recipe: Recipe, device: torch.device, checkpoint: Path
) -> Teachers | None:
    """Return the trained teachers of a recipe; None where it has none."""
    networks = []
    for number in range(1, recipe.teachers + 1):
        print_status(f"teacher {number} of {recipe.teachers}")
        own = recipe.of_teacher(number).for_cells(len(training_data.train))
        file = teacher_checkpoint(checkpoint, number)
        teacher = train_classifier(training_data, own, device, file, lambda _: None)
        networks.append(teacher.network)
    return Teachers(networks) if networks else None


class Trainer:
    """A classifier with its optimizer and training data, and the teachers that it learns from."""

    def __init__(self, training_data: TrainingData, recipe: Recipe, device: torch.device) -> None:
        torch.manual_seed(recipe.seed)  # for the initial weights
        self.training_data, self.recipe, self.device = training_data, recipe, device
        self.teachers: Teachers | None = None
        self.classifier = Classifier(recipe.architecture(), recipe.input_transform).to(device)
        if recipe.init:
            load_initial_weights(self.classifier.network, recipe.init.read())
        self.optimizer = make_optimizer(self.classifier.network, recipe)
        self.steps = math.ceil(len(training_data.train) / recipe.batch)
        smallest_batch = len(training_data.train) // self.steps
        if smallest_batch < 2 * distributed.world_size():
            raise TrainingError(
                "batch norm needs 2 cells per step and process; give a larger --batch"
            )
        self._pixels = torch.from_numpy(training_data.pixels)
        self._targets = torch.from_numpy(training_data.targets)
        weights = class_weights(training_data.targets[training_data.train], recipe.balance)
        self._class_weights = torch.from_numpy(weights).float().to(device)
        self._network: nn.Module = self.classifier.network
        single_cpu = device.type == "cpu" and distributed.world_size() == 1
        self._parts = _PARTS if single_cpu and smallest_batch >= 2 * _PARTS else 1
        if distributed.world_size() > 1:
            self._network = DistributedDataParallel(self._network, forward_sync_buffers=False)

    def train_epoch(self, epoch: int) -> float:
        """Train on every training cell once and return the mean loss."""
        self.classifier.train()
        if self.recipe.freeze_batch_norm:
            freeze_batch_norm(self.classifier)
        total = torch.zeros((), device=self.device)
        batches = track(self._batches(epoch), f"Epoch {epoch + 1}", self.steps)
        with Replicas(self._network, self._parts) as replicas:
            loss = self._loss_function(epoch)
            for step, (rows, count) in enumerate(batches, epoch * self.steps):
                self._set_learning_rate(step)
                self.optimizer.zero_grad()
                total += count * replicas.backward(partial(loss, rows, count))
                self.optimizer.step()
        total /= distributed.world_size()
        self._average_batch_norms()
        return self._require_finite(float(distributed.all_reduce_sum(total))) / len(
            self.training_data.train
        )

    def validate(self, epoch: int) -> EpochRow:
        """Return loss, accuracy and AUC on the validation cells, each counted once.

        They are resampled to the size of the epoch, whose statistics the batch norms have.
        """
        p = self._predict(self.training_data.validation, self.recipe.size_in(epoch))
        targets = self.training_data.targets[self.training_data.validation]
        truth, weight = targets == POSITIVE, self._class_weights.cpu().numpy()[targets]
        losses = -weight * np.log(np.where(truth, p, 1 - p).clip(1e-7))
        loss = self._require_finite(float(losses.mean()))
        metrics = compute_metrics(LabelledPredictions(truth, p.astype(np.float64)), threshold=0.5)
        return {
            "val_loss": loss,
            "val_accuracy": metrics["accuracy"],
            "val_auc": metrics["roc_auc"],
            "learning_rate": self.optimizer.param_groups[0]["lr"],
        }

    def restore_class_frequencies(self) -> None:
        """Take the class weights out of the network, so that p is that of the training data.

        A loss with weights w is least where the softmax is w times p, normalized: ln w is therefore
        subtracted from the logits (King & Zeng 2001, Political Analysis 9, 137: prior correction).
        """
        with torch.no_grad():
            self.classifier.network.head.bias.sub_(self._class_weights.log())

    def _batches(self, epoch: int) -> Iterator[tuple[Tensor, int]]:
        """Yield this process's rows of each batch, and the size of the whole batch."""
        order = torch.randperm(
            len(self.training_data.train), generator=_generator(self.recipe.seed, epoch)
        )
        shuffled = torch.from_numpy(self.training_data.train)[order]
        for batch in shuffled.tensor_split(self.steps):
            yield batch[distributed.rank() :: distributed.world_size()], len(batch)

    def _loss_function(self, epoch: int) -> PartLoss:
        """Return the loss of a part of a batch, a mean over the whole batch, in an epoch.

        Called with this process's rows of the batch, the size of the whole batch, the number of
        the part and its network.
        """
        size, first = self.recipe.size_in(epoch), distributed.rank() * self._parts
        parts = range(first, first + self._parts)
        randoms = [_generator(self.recipe.seed, epoch, part) for part in parts]

        def loss(rows: Tensor, count: int, part: int, network: nn.Module) -> Tensor:
            own = rows[part :: self._parts]
            # Processes average their gradients, also when they get unequal shares of a batch.
            share = distributed.world_size() / count
            return share * self._loss(network, own, size, randoms[part])

        return loss

    def _loss(self, network: nn.Module, rows: Tensor, size: int, random: Generator) -> Tensor:
        """Return the summed cross-entropy of some cells, augmented, at an input size.

        The targets are the cells' classes, or what the teachers say of the augmented cells.
        """
        with torch.no_grad():
            pixels = self._pixels[rows].to(self.device)
            targets = self._targets[rows].to(self.device)
            inputs, targets = self._augmented(pixels, targets, size, random)
            inputs = inputs.contiguous(memory_format=torch.channels_last)
            if self.teachers:
                targets = self.teachers(inputs)
        logits = network(inputs)
        return F.cross_entropy(logits, targets, self._class_weights, reduction="sum")

    def _augmented(
        self, pixels: Tensor, targets: Tensor, size: int, random: Generator
    ) -> tuple[Tensor, Tensor]:
        """Return inputs `[N, 3, size, size]` and targets of cells, uint8 `[N, S, S, 3]`."""
        transform = self.classifier.input_transform
        if self.recipe.augmentation == "little":
            return flip(transform(pixels), random), targets
        inputs = transform(move(pixels, size, random))
        inputs, targets = stipple(inputs, targets, random)
        return augment(inputs, random), targets

    def _predict(self, rows: Ints, size: int) -> Floats:
        """Return p_parasitized of some cells, float `[len(rows)]`; the processes share the work."""
        self.classifier.eval()
        p = torch.zeros(len(rows), device=self.device)
        with torch.inference_mode():
            own = torch.arange(len(rows))[distributed.rank() :: distributed.world_size()]
            for at in torch.split(own, self.recipe.batch * 2):
                batch = self._pixels[torch.from_numpy(rows)[at]].to(self.device)
                p[at.to(self.device)] = self.classifier(resize(batch, size))[:, POSITIVE]
        predicted: Floats = distributed.all_reduce_sum(p).cpu().numpy()
        return predicted

    def _average_batch_norms(self) -> None:
        """Average the running statistics of batch norm over the processes."""
        for buffer in self.classifier.network.buffers():
            if buffer.is_floating_point():
                distributed.all_reduce_sum(buffer).div_(distributed.world_size())

    def _set_learning_rate(self, step: int) -> None:
        factor = learning_rate_factor(step, self.steps * self.recipe.epochs)
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.learning_rate * factor

    def _require_finite(self, loss: float) -> float:
        if math.isfinite(loss):
            return loss
        raise TrainingError(
            f"the loss is {loss}: training has diverged; the last epoch is saved. Start again"
            f" with a learning rate below {self.recipe.learning_rate:g}"
        )


def class_weights(targets: Ints, balance: bool) -> Floats:
    """Return the weight of each class in the loss, float `[2]`: 1, or cells / (2 · cells of class).

    The latter is scikit-learn's `class_weight="balanced"`; the mean weight of the cells is 1.
    """
    if not balance:
        return np.ones(len(CLASSES))
    counts = np.bincount(targets, minlength=len(CLASSES)).clip(min=1)
    return len(targets) / (len(CLASSES) * counts)


def load_initial_weights(network: nn.Module, weights: NamedArrays) -> None:
    """Set the given weights by name; weights without a name in it, such as a new head's, stay."""
    given = {name: torch.from_numpy(array) for name, array in weights.items()}
    network.load_state_dict({**network.state_dict(), **given})


def freeze_batch_norm(network: nn.Module) -> None:
    """Let all batch norms use their running statistics, and keep them; weight and bias learn."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def make_optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Return the optimizer; depthwise filters, norms and biases get no weight decay.

    "We found that it was important to put very little or no weight decay on the depthwise
    filters since there are so few parameters in them" (paper, section 3.2).
    """
    named = list(network.named_parameters())
    decayed = [p for name, p in named if p.ndim > 1 and "depthwise" not in name]
    others = [p for name, p in named if p.ndim == 1 or "depthwise" in name]
    groups = [
        {"params": decayed, "weight_decay": recipe.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=recipe.learning_rate, fused=True)
    return torch.optim.RMSprop(groups, lr=recipe.learning_rate, alpha=0.9, momentum=0.9, eps=1.0)


def learning_rate_factor(step: int, steps: int) -> float:
    """Return the factor (0..1) of the highest learning rate: linear warm-up, then half a cosine."""
    warm_up = max(1, round(steps * WARM_UP))
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 + 0.5 * math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up))


def _generator(*seeds: int) -> Generator:
    """Return an independent generator for each combination of numbers."""
    state = np.random.SeedSequence(seeds).generate_state(2, np.uint32)
    return Generator().manual_seed(int(state[0]) << 32 | int(state[1]))
