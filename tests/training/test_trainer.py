"""The training loop: the same weights from the same seed, resumed or not."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight

from hemozoin.classes import POSITIVE
from hemozoin.errors import RunError, TrainingError
from hemozoin.training.checkpoint import EpochRow
from hemozoin.training.distillation import Teachers, teacher_checkpoint
from hemozoin.training.recipe import Recipe
from hemozoin.training.runs.folder import RunFolder
from hemozoin.training.trainer import (
    Trainer,
    TrainingData,
    class_weights,
    learning_rate_factor,
    make_optimizer,
    train_classifier,
)

CPU = torch.device("cpu")
SMALL = Recipe(size=32, epochs=3, batch=16)


@pytest.fixture
def training_data() -> TrainingData:
    """48 cells of grey noise; the parasitized ones have a dark dot."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(140, 180, (48, 32, 32, 3), dtype=np.uint8)
    targets = (np.arange(48) % 2).astype(np.int64)
    pixels[targets == 1, 12:18, 12:18] = 60
    return TrainingData(pixels, targets, np.arange(36), np.arange(36, 48))


Weights = dict[str, torch.Tensor]


def weights(
    training_data: TrainingData, path: Path, recipe: Recipe = SMALL, stop_after: int = 0
) -> Weights:
    class StopError(Exception):
        pass

    def stop(rows: list[EpochRow]) -> None:
        if len(rows) == stop_after:
            raise StopError

    try:
        return train_classifier(training_data, recipe, CPU, path, stop).state_dict()
    except StopError:
        return {}


def equal(one: Weights, other: Weights) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.slow
def test_same_seed_same_weights_bit_for_bit(training_data: TrainingData, tmp_path: Path) -> None:
    first = weights(training_data, tmp_path / "1")
    assert equal(first, weights(training_data, tmp_path / "2"))
    assert not equal(first, weights(training_data, tmp_path / "3", replace(SMALL, seed=1)))


@pytest.mark.slow
def test_one_core_gives_the_same_weights_as_two(
    training_data: TrainingData, tmp_path: Path
) -> None:
    """Both parts of a batch are trained on in turn, or at the same time."""
    before = torch.get_num_threads()
    found = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found.append(weights(training_data, tmp_path / str(threads)))
    finally:
        torch.set_num_threads(before)
    assert equal(*found)


def test_batches_of_few_cells_stay_whole(training_data: TrainingData) -> None:
    """Batch norm needs two cells: with five cells in batches of 4 there is one of 2."""
    few = replace(training_data, train=np.arange(5))
    trainer = Trainer(few, replace(SMALL, batch=4), CPU)
    assert math.isfinite(trainer.train_epoch(0))


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["adamw", "rmsprop"])
def test_resumed_after_any_epoch_ends_with_the_same_weights(
    training_data: TrainingData, tmp_path: Path, optimizer: Literal["adamw", "rmsprop"]
) -> None:
    recipe = Recipe(size=32, epochs=3, batch=16, optimizer=optimizer)
    whole = weights(training_data, tmp_path / "whole", recipe)
    for stop_after in (1, 2):
        path = tmp_path / f"stopped{stop_after}"
        assert weights(training_data, path, recipe, stop_after) == {}
        assert equal(whole, weights(training_data, path, recipe))


@pytest.mark.slow
def test_a_finished_run_is_not_trained_further(training_data: TrainingData, tmp_path: Path) -> None:
    whole = weights(training_data, tmp_path / "c")
    stamp = (tmp_path / "c").stat().st_mtime_ns
    assert equal(whole, weights(training_data, tmp_path / "c"))
    assert (tmp_path / "c").stat().st_mtime_ns == stamp


def test_a_damaged_checkpoint_is_refused_by_name(
    training_data: TrainingData, tmp_path: Path
) -> None:
    path = tmp_path / "checkpoint.safetensors"
    weights(training_data, path, stop_after=1)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(RunError, match=r"checkpoint\.safetensors: damaged"):
        weights(training_data, path)


def test_every_cell_once_per_epoch_in_a_new_order(training_data: TrainingData) -> None:
    trainer = Trainer(training_data, SMALL, CPU)
    epochs = [torch.cat([rows for rows, _ in trainer._batches(e)]).tolist() for e in (0, 1)]
    for order in epochs:
        assert sorted(order) == list(range(36))
    assert epochs[0] != epochs[1] != list(range(36))


@pytest.mark.slow
def test_it_learns_and_reports_every_epoch(training_data: TrainingData, tmp_path: Path) -> None:
    reports: list[list[EpochRow]] = []
    recipe = Recipe(size=32, epochs=30, batch=12, augmentation="little")
    train_classifier(
        training_data, recipe, CPU, tmp_path / "c", lambda rows: reports.append(list(rows))
    )
    assert [len(rows) for rows in reports] == list(range(1, 31))
    assert reports[-1][-1]["val_auc"] > 0.9
    assert reports[-1][-1]["train_loss"] < reports[0][0]["train_loss"]


@pytest.mark.parametrize("factor", [math.inf, math.nan])
def test_an_infinite_or_nan_loss_stops_the_run(
    factor: float, training_data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss = Trainer._loss
    monkeypatch.setattr(Trainer, "_loss", lambda *of: loss(*of) * factor)
    with pytest.raises(TrainingError, match="learning rate below"):
        weights(training_data, tmp_path / "c", Recipe(size=32, epochs=3, batch=16))


def test_no_weight_decay_on_depthwise_filters_norms_and_biases(training_data: TrainingData) -> None:
    network = Trainer(training_data, SMALL, CPU).classifier.network
    decayed, free = make_optimizer(network, SMALL).param_groups
    names = {id(p): name for name, p in network.named_parameters()}
    decayed_names = {names[id(p)] for p in decayed["params"]}
    assert decayed["weight_decay"] == SMALL.weight_decay
    assert free["weight_decay"] == 0
    assert len(decayed["params"]) + len(free["params"]) == len(names)
    assert decayed_names == {
        name
        for name in names.values()
        if name in ("head.weight", "body.conv1.conv.weight")
        or ("pointwise" in name and "conv" in name)
    }


def test_the_learning_rate_rises_then_falls_to_zero() -> None:
    rates = [learning_rate_factor(step, 200) for step in range(200)]
    top = rates.index(max(rates))
    assert 0 < rates[0] < 0.1
    assert max(rates) == 1.0
    assert rates[:top] == sorted(rates[:top])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert rates[-1] < 0.001


def test_epochs_grow_to_the_full_size() -> None:
    assert [Recipe(epochs=6).size_in(epoch) for epoch in range(6)] == [48, 48, 48, 48, 64, 64]
    assert [Recipe(epochs=3, size=40).size_in(epoch) for epoch in range(3)] == [32, 32, 40]
    assert Recipe(epochs=1).size_in(0) == 64
    for plain in (Recipe(progressive=False), Recipe(augmentation="little")):
        assert {plain.size_in(epoch) for epoch in range(plain.epochs)} == {64}


def test_the_network_is_given_the_size_of_the_epoch(training_data: TrainingData) -> None:
    pixels = np.repeat(np.repeat(training_data.pixels, 2, axis=1), 2, axis=2)
    recipe = Recipe(size=64, epochs=6, batch=16)
    trainer = Trainer(replace(training_data, pixels=pixels), recipe, CPU)
    given: list[int] = []
    trainer.classifier.network.register_forward_pre_hook(
        lambda _, inputs: given.append(inputs[0].shape[2])
    )
    for epoch, size in ((0, 48), (5, 64)):
        given.clear()
        trainer.train_epoch(epoch)
        assert {*given} == {size}
        trainer.validate(epoch)
        assert {*given} == {size}


# ---- class weights -----------------------------------------------------------------------------


def rare(training_data: TrainingData) -> TrainingData:
    """Return the same cells with 4 parasitized ones among the 36 to train on."""
    targets = (np.arange(48) % 9 == 0).astype(np.int64)
    return replace(training_data, targets=targets)


def test_class_weights_are_those_of_scikit_learn(training_data: TrainingData) -> None:
    targets = rare(training_data).targets[:36]
    expected = compute_class_weight("balanced", classes=np.array([0, 1]), y=targets)
    assert class_weights(targets, balance=True) == pytest.approx(expected)
    assert class_weights(targets, balance=False).tolist() == [1, 1]


def test_the_loss_is_weighted(training_data: TrainingData) -> None:
    """With logits of 0, every cell has the loss ln 2 times its weight."""
    trainer = Trainer(rare(training_data), replace(SMALL, balance=True), CPU)
    torch.nn.init.zeros_(trainer.classifier.network.head.weight)
    for row, weight in ((0, 36 / (2 * 4)), (1, 36 / (2 * 32))):
        loss = trainer._loss(
            trainer.classifier.network, torch.tensor([row, row]), 32, torch.Generator()
        )
        assert float(loss.detach()) == pytest.approx(2 * weight * np.log(2), rel=1e-5)


def test_the_prior_of_the_training_data_is_restored(training_data: TrainingData) -> None:
    """A network that is indifferent under equal weights says 4 of 36; without them, 1 of 2."""
    for balance, expected in ((True, 4 / 36), (False, 0.5)):
        trainer = Trainer(rare(training_data), replace(SMALL, balance=balance), CPU)
        torch.nn.init.zeros_(trainer.classifier.network.head.weight)
        trainer.restore_class_frequencies()
        assert trainer._predict(np.arange(4), 32) == pytest.approx([expected] * 4, rel=1e-5)


@pytest.mark.slow
def test_a_balanced_run_resumes_with_the_same_weights(
    training_data: TrainingData, tmp_path: Path
) -> None:
    recipe = replace(SMALL, balance=True)
    whole = weights(rare(training_data), tmp_path / "whole", recipe)
    weights(rare(training_data), tmp_path / "stopped", recipe, stop_after=2)
    assert equal(whole, weights(rare(training_data), tmp_path / "stopped", recipe))
    assert equal(whole, weights(rare(training_data), tmp_path / "whole", recipe))  # finished
    assert not equal(whole, weights(rare(training_data), tmp_path / "plain", SMALL))


def test_few_cells_are_passed_over_more_often() -> None:
    recipe = Recipe(epochs=6, batch=128, fewest_steps=300)
    assert recipe.for_cells(16_587) == recipe  # 130 steps an epoch
    few = recipe.for_cells(1_338)
    assert few.epochs == 28  # of 11 steps
    assert few.for_cells(1_338) == few
    assert recipe.for_cells(10).epochs == 48
    assert replace(recipe, epochs=60).for_cells(10).epochs == 60
    assert Recipe(epochs=6).for_cells(10).epochs == 6


# ---- teachers ----------------------------------------------------------------------------------

TAUGHT = replace(SMALL, teachers=2)


def sure_teacher(trainer: Trainer) -> Teachers:
    """Return teachers that take every cell for a parasitized one."""
    network = copy.deepcopy(trainer.classifier.network)
    torch.nn.init.zeros_(network.head.weight)
    network.head.bias.data = torch.where(torch.arange(2) == POSITIVE, 4.0, -4.0)
    return Teachers([network])


@pytest.mark.slow
def test_a_network_learns_from_its_teachers_not_from_the_labels(
    training_data: TrainingData,
) -> None:
    recipe = replace(SMALL, epochs=6)
    plain = Trainer(training_data, recipe, CPU)
    taught = Trainer(training_data, recipe, CPU)
    taught.teachers = sure_teacher(plain)
    for trainer in (plain, taught):
        for epoch in range(recipe.epochs):
            trainer.train_epoch(epoch)
    rows = np.arange(48)
    assert taught._predict(rows, 32).min() > 0.9
    assert plain._predict(rows, 32).min() < 0.9


@pytest.mark.slow
def test_a_run_with_teachers_resumes_with_the_same_weights(
    training_data: TrainingData, tmp_path: Path
) -> None:
    """It was stopped in the first teacher, between the teachers, or in the network itself."""
    whole = weights(training_data, tmp_path / "whole", TAUGHT)
    assert not equal(whole, weights(training_data, tmp_path / "plain", SMALL))
    for number in (1, 2):
        stopped = tmp_path / f"stopped{number}"
        file = teacher_checkpoint(stopped, number)
        weights(training_data, file, TAUGHT.of_teacher(number), stop_after=2)
        assert equal(whole, weights(training_data, stopped, TAUGHT))
    weights(training_data, tmp_path / "late", TAUGHT, stop_after=1)
    assert equal(whole, weights(training_data, tmp_path / "late", TAUGHT))


@pytest.mark.slow
def test_trained_teachers_are_not_trained_again(
    training_data: TrainingData, tmp_path: Path
) -> None:
    weights(training_data, tmp_path / "c", TAUGHT, stop_after=1)
    files = [teacher_checkpoint(tmp_path / "c", number) for number in (1, 2)]
    stamps = [file.stat().st_mtime_ns for file in files]
    weights(training_data, tmp_path / "c", TAUGHT)
    assert [file.stat().st_mtime_ns for file in files] == stamps
    assert files[0].read_bytes() != files[1].read_bytes()
    whole = weights(training_data, tmp_path / "c", TAUGHT)
    for file in files:
        file.unlink()
    assert equal(whole, weights(training_data, tmp_path / "c", TAUGHT))  # it is finished
    assert not any(file.exists() for file in files)


def test_a_new_run_removes_the_teachers_of_an_earlier_one(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    checkpoint = teacher_checkpoint(folder.checkpoint, 12)
    checkpoint.touch()
    folder.begin({})
    assert not checkpoint.exists()
