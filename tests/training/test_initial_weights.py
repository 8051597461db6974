"""Training that starts from given weights: of hemozoin, Keras or timm."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from hemozoin.cli.options import RecipeOptions
from hemozoin.errors import HemozoinError, ModelError, RunError
from hemozoin.mobilenet.architecture import Architecture
from hemozoin.mobilenet.convert import read_third_party
from hemozoin.model.bundle import load_bundle
from hemozoin.training.checkpoint import EpochRow
from hemozoin.training.initial_weights import FINE_TUNING, InitialWeights
from hemozoin.training.recipe import Recipe
from hemozoin.training.trainer import Trainer, TrainingData, train_classifier
from tests.support.commands import QUICK, refused, succeed, tree
from tests.support.third_party import keras_arrays, needs_h5py, saved, timm_arrays

CPU = torch.device("cpu")

#: QUICK without a width multiplier, which comes with the weights.
SHORT = ("--size", 32, "--epochs", 1, "--batch", 16)

MODEL = Path("model", "model.safetensors")


@pytest.fixture
def training_data() -> TrainingData:
    """24 cells of grey noise."""
    pixels = np.random.default_rng(0).integers(140, 180, (24, 32, 32, 3), dtype=np.uint8)
    return TrainingData(
        pixels, (np.arange(24) % 2).astype(np.int64), np.arange(16), np.arange(16, 24)
    )


@pytest.fixture
def timm_file(tmp_path: Path) -> Path:
    return saved(tmp_path / "t.safetensors", timm_arrays(alpha=0.5, classes=5))


def recipe_from(path: Path, **changes: object) -> Recipe:
    init = InitialWeights.find(path)
    recipe = Recipe(alpha=init.architecture.alpha, size=32, epochs=3, batch=8, init=init)
    return replace(recipe, **changes)  # type: ignore[arg-type]


def initial_weights(training_data: TrainingData, recipe: Recipe) -> dict[str, torch.Tensor]:
    """Return the weights before the first training step."""
    return Trainer(training_data, recipe, CPU).classifier.network.state_dict()


# ---- the initial weights -------------------------------------------------------------------------


def test_it_starts_from_the_weights_of_a_hemozoin_network(
    training_data: TrainingData, finished_run: Path
) -> None:
    start = initial_weights(training_data, recipe_from(finished_run))
    given = load_bundle(finished_run / "model").weights
    for name, tensor in start.items():
        assert np.array_equal(tensor.numpy(), given[f"network.{name}"]), name


def test_it_starts_from_timms_weights_with_a_new_head(
    training_data: TrainingData, timm_file: Path
) -> None:
    start = initial_weights(training_data, recipe_from(timm_file))
    _, given = read_third_party(timm_file)
    for name in set(given) - {"head.weight", "head.bias"}:
        assert np.array_equal(start[name].numpy(), given[name]), name
    assert start["head.weight"].shape == (2, 512)
    assert 0.005 < start["head.weight"].std() < 0.015
    assert not start["head.bias"].any()
    again, other = (initial_weights(training_data, recipe_from(timm_file, seed=s)) for s in (0, 1))
    assert torch.equal(again["head.weight"], start["head.weight"])
    assert not torch.equal(other["head.weight"], start["head.weight"])


def test_a_third_party_head_of_two_classes_is_not_used(
    training_data: TrainingData, tmp_path: Path
) -> None:
    """The file does not tell which of them is parasitized."""
    path = saved(tmp_path / "t.safetensors", timm_arrays(0.25, classes=2))
    start = initial_weights(training_data, recipe_from(path))
    assert not np.array_equal(
        start["head.weight"].numpy(), read_third_party(path)[1]["head.weight"]
    )


@needs_h5py
@pytest.mark.slow
@pytest.mark.parametrize("classes", [None, 7])
def test_a_run_from_keras_keeps_its_architecture(
    classes: int | None, tmp_path: Path, cells_zip: Path
) -> None:
    path = saved(tmp_path / "k.weights.h5", keras_arrays(0.3, classes))
    succeed("train", cells_zip, "--out", tmp_path / "run", "--init", path, *SHORT)
    bundle = load_bundle(tmp_path / "run" / "model")
    assert bundle.architecture == Architecture(0.3, 2, "relu6", "same", 1e-3)
    assert bundle.about["run"]["recipe"]["init"]["path"] == str(path)


def test_ways_to_name_a_hemozoin_network(finished_run: Path) -> None:
    one, *others = (InitialWeights.find(finished_run / name) for name in ("", "model", MODEL))
    assert others == [one, one]
    assert one.path == (finished_run / "model").resolve()


# ---- fine-tuning ---------------------------------------------------------------------------------


def test_a_network_of_cells_goes_on_as_it_was_trained(finished_run: Path) -> None:
    recipe = RecipeOptions(init=finished_run).recipe()
    assert recipe == Recipe(
        size=32,
        learning_rate=FINE_TUNING["learning_rate"],
        progressive=False,
        freeze_batch_norm=True,
        init=InitialWeights.find(finished_run),
    )
    chosen = RecipeOptions(init=finished_run, size=48, learning_rate=0.01).recipe()
    assert (chosen.size, chosen.learning_rate) == (48, 0.01)
    assert RecipeOptions("best", init=finished_run).recipe().teachers == 0


def test_one_of_timm_learns_anew(timm_file: Path) -> None:
    recipe = RecipeOptions(init=timm_file).recipe()
    assert recipe == Recipe(alpha=0.5, init=InitialWeights.find(timm_file))


def test_frozen_batch_norms_keep_their_statistics(
    training_data: TrainingData, finished_run: Path
) -> None:
    for frozen in (True, False):
        recipe = recipe_from(finished_run, freeze_batch_norm=frozen)
        before = initial_weights(training_data, recipe)
        trainer = Trainer(training_data, recipe, CPU)
        trainer.train_epoch(0)
        after = trainer.classifier.network.state_dict()
        statistics = [name for name in after if "running" in name]
        assert len(statistics) == 54
        assert all(torch.equal(before[name], after[name]) for name in statistics) is frozen
        assert not torch.equal(before["body.conv1.norm.bias"], after["body.conv1.norm.bias"])


# ---- resuming ------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("stop_after", [1, 2])
def test_resumed_after_any_epoch_ends_with_the_same_weights(
    training_data: TrainingData, timm_file: Path, tmp_path: Path, stop_after: int
) -> None:
    class StopError(Exception):
        pass

    def stop(rows: list[EpochRow]) -> None:
        if len(rows) == stop_after:
            raise StopError

    recipe = recipe_from(timm_file)
    whole = train_classifier(
        training_data, recipe, CPU, tmp_path / "whole", lambda _: None
    ).state_dict()
    with pytest.raises(StopError):
        train_classifier(training_data, recipe, CPU, tmp_path / "stopped", stop)
    resumed = train_classifier(
        training_data, recipe, CPU, tmp_path / "stopped", lambda _: None
    ).state_dict()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


@pytest.mark.slow
def test_stopped_before_the_first_epoch(tmp_path: Path, cells_zip: Path, timm_file: Path) -> None:
    """As if the run had been killed then; a run repeated from its config.json is the same too."""
    run = tmp_path / "run"
    succeed("train", cells_zip, "--out", run, "--init", timm_file, *SHORT)
    whole = (run / MODEL).read_bytes()
    shutil.rmtree(run / "model")
    (run / "checkpoint.safetensors").unlink()
    succeed("train", "--resume", run)
    assert (run / MODEL).read_bytes() == whole
    succeed("train", "--config", run / "config.json", "--out", tmp_path / "again")
    assert (tmp_path / "again" / MODEL).read_bytes() == whole


@pytest.mark.slow
def test_a_changed_file_is_refused(
    training_data: TrainingData, tmp_path: Path, cells_zip: Path, timm_file: Path
) -> None:
    run, recipe = tmp_path / "run", recipe_from(timm_file)
    succeed("train", cells_zip, "--out", run, "--init", timm_file, *SHORT)
    saved(
        timm_file, timm_arrays(0.5, classes=6)
    )  # the same weights with another head, which is not used
    before = tree(tmp_path)
    for command in (("--resume", run), ("--config", run / "config.json", "--out", tmp_path / "2")):
        assert "t.safetensors: changed since the run was configured" in refused("train", *command)
    with pytest.raises(RunError, match="changed"):
        Trainer(training_data, recipe, CPU)
    timm_file.unlink()
    assert "t.safetensors: No such file" in refused("train", "--resume", run)
    timm_file.write_bytes(before[str(timm_file)])
    assert tree(tmp_path) == before


def test_config_json_keeps_it_and_an_older_one_has_none(timm_file: Path) -> None:
    recipe = recipe_from(timm_file)
    values = json.loads(json.dumps(recipe.to_dict()))
    assert Recipe.from_dict(values) == recipe
    fresh = Recipe().to_dict()
    assert fresh.pop("init") is None
    assert Recipe.from_dict(fresh) == Recipe()


def test_an_older_config_json_was_trained_at_its_full_size() -> None:
    older = Recipe().to_dict()
    assert older.pop("progressive") is True
    assert Recipe.from_dict(older) == Recipe(progressive=False)


# ---- errors --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_contradicting_alpha(tmp_path: Path, cells_zip: Path, timm_file: Path) -> None:
    command = ("train", cells_zip, "--out", tmp_path / "run", "--init", timm_file)
    line = refused(*command, *QUICK)
    assert "alpha is 0.25, but" in line
    assert "t.safetensors has 0.5; leave --alpha out" in line
    assert not (tmp_path / "run").exists()
    succeed(*command, *SHORT, "--alpha", 0.5)


def test_a_contradicting_alpha_in_python(timm_file: Path) -> None:
    with pytest.raises(HemozoinError, match=r"has 0\.5"):
        Recipe(init=InitialWeights.find(timm_file))


def test_a_contradicting_body(finished_run: Path) -> None:
    with pytest.raises(HemozoinError, match=r"body is 'full', but .* has 'separable'"):
        recipe_from(finished_run, body="full")
    with pytest.raises(HemozoinError, match="body is 'round'"):
        Recipe(body="round")  # type: ignore[arg-type]


def test_invalid_initial_weights(tmp_path: Path, cells_zip: Path, timm_file: Path) -> None:
    """A missing file, an unknown name, a pickle, another network, half a file."""
    (tmp_path / "half.safetensors").write_bytes(timm_file.read_bytes()[:-9])
    saved(tmp_path / "other.safetensors", {"dense": np.ones(3)})
    (tmp_path / "net.pth").write_bytes(b"")
    (tmp_path / "empty").mkdir()
    for name, message in {
        "gone.safetensors": "gone.safetensors: No such file",
        "gone/model": "gone/model: No such file",
        "empty": "empty: SHA256SUMS is missing; give a complete model folder",
        "net.pth": "a pickle can run anything",
        "half.safetensors": "half.safetensors: damaged",
        "other.safetensors": "not a mobilenetv1_100 or _125 of timm: missing",
    }.items():
        line = refused("train", cells_zip, "--out", tmp_path / "run", "--init", tmp_path / name)
        assert message in line
    assert "no network 'micro'" in refused("train", cells_zip, "--out", "run", "--init", "micro")
    assert not (tmp_path / "run").exists()


def test_a_damaged_model_folder(tmp_path: Path, finished_run: Path) -> None:
    shutil.copytree(finished_run / "model", tmp_path / "model")
    with (tmp_path / MODEL).open("ab") as file:
        file.write(b"x")
    for path in (tmp_path / "model", tmp_path / MODEL):
        with pytest.raises(ModelError, match=r"model\.safetensors: changed since it was saved"):
            InitialWeights.find(path)


def test_resume_and_config_exclude_init(tmp_path: Path, timm_file: Path) -> None:
    for how in ("--resume", "--config"):
        assert "add nothing but" in refused("train", how, tmp_path, "--init", timm_file)
