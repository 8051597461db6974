"""The command line: one verb, one function; what a verb needs is imported inside it.

An error that the user can put right is one line and exit code 2; Ctrl-C is 130.
"""

from __future__ import annotations

import errno
import io
import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, CycloptsError, Parameter

from hemozoin.about import VERSION
from hemozoin.cells.labels import OnCorrection
from hemozoin.cells.options import CellOptions
from hemozoin.errors import DataError, HemozoinError, MissingExtraError, RunError
from hemozoin.explaining.command import explain_app
from hemozoin.model.names import Precision
from hemozoin.options import (
    Cells,
    Deciding,
    DecisionOptions,
    Device,
    Learning,
    RecipeOptions,
)

if TYPE_CHECKING:
    from hemozoin.model.predict import Finding

# GNU OpenMP's threads spin while they wait for each other. Where anything else wants the cores,
# that makes training 50 times slower; a short spin costs nothing and makes it 3 times slower.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")

app = App(
    name="hemozoin",
    help="MobileNet for malaria detection, trained and judged by patient.\n\n"
    "Research use only; not a medical device.",
    version=VERSION,
    default_parameter=Parameter(negative=""),
    suppress_keyboard_interrupt=False,  # `main` answers it
)


app.command(explain_app)


@app.command
def train(
    data: Path | None = None,
    *,
    out: Path | None = None,
    resume: Path | None = None,
    config: Path | None = None,
    overwrite: bool = False,
    split: Path | None = None,
    on_correction: OnCorrection = "relabel",
    device: Device = "auto",
    learning: Learning = RecipeOptions(),
    deciding: Deciding = DecisionOptions(),
    cells: Cells = CellOptions(),
) -> None:
    """Train, validate and test a MobileNet on cells dealt out by patient.

    Parameters
    ----------
    data
        NLM's cell_images.zip, its folder, or a zip or folder of yours with two class folders.
    out
        Folder of the run, new or empty.
    resume
        Folder of a run that was stopped: go on from its last epoch.
    config
        A run's config.json: do that run again, instead of DATA and the options below.
    overwrite
        Remove the run that lies in --out.
    split
        A split.csv to deal the cells out by.
    on_correction
        With --labels: learn the corrected label, or leave such cells out.
    device
        Processor; auto takes a GPU where there is one.
    """
    _require_extra()
    from hemozoin.training import start
    from hemozoin.training.config import RunConfig

    plan = RunConfig(
        data=data or Path(),
        cells=cells,
        recipe=learning.recipe(),
        split=split,
        on_correction=on_correction,
        aim=deciding.aim(),
        prevalence=deciding.prevalence,
    )
    planned = plan != RunConfig(Path())
    if resume and (planned or out or config or overwrite):
        raise RunError("--resume goes on as RUN/config.json says; add nothing but --device")
    if config and planned:
        raise RunError("--config says all about a run; add nothing but --out and --device")
    if resume:
        start.resume(resume, device)
    elif out is None:
        raise RunError("give a folder for the run with --out, or one to go on with --resume")
    elif config:
        start.again(config, out, overwrite, device)
    elif data is None:
        raise DataError("give DATA: NLM's cell_images.zip or a folder of yours")
    else:
        start.new(plan, out, overwrite, device)


@app.command
def evaluate(
    data: Path,
    *,
    model: str = "nano",
    precision: Precision = "fp32",
    out: Path | None = None,
    split: Path | None = None,
    prevalence: float = DecisionOptions.prevalence,
    as_json: Annotated[bool, Parameter(name="--json")] = False,
    cells: Cells = CellOptions(),
) -> None:
    """Judge a network on labelled cells, with intervals that resample patients.

    Parameters
    ----------
    data
        A zip or folder with two class folders.
    model
        A network that ships, by its name, or the folder of a model or a run.
    precision
        int8 is smaller and quicker, where the model has it.
    out
        Folder for metrics.json, predictions.csv and report.html; new or empty.
    split
        A split.csv; only its test cells are judged.
    prevalence
        Share of parasitized cells (0..1) at which PPV and NPV are given.
    as_json
        Print all figures as JSON.
    """
    from hemozoin.judging.report import summary
    from hemozoin.model.evaluate import evaluate as judge
    from hemozoin.model.predictor import Predictor

    predictor = Predictor.load(model, precision)
    report = judge(data, cells, predictor, split=split, prevalence=prevalence, out=out)
    print(json.dumps(report.judgement.to_dict(), indent=2) if as_json else summary(report))


@app.command
def export(
    run: Path,
    *,
    out: Path,
    check: Path | None = None,
    cells: Cells = CellOptions(),
) -> None:
    """Write a run's network as a folder for anywhere: ONNX, int8, model card, checksums.

    torch, ONNX and int8 are compared on real cells; one that is off is not written.

    Parameters
    ----------
    run
        Folder of a finished run, or of its model.
    out
        Folder to write, new or empty.
    check
        A zip or folder with two class folders to compare on; the run's own test cells without it.
    """
    _require_extra()
    from hemozoin.exporting.export import export as write_export

    print(write_export(run, out, check, cells).text())
    print(f"Model: {out}")


@app.command
def crossval(
    data: Path,
    *,
    out: Path,
    folds: int = 5,
    final: bool = False,
    on_correction: OnCorrection = "relabel",
    device: Device = "auto",
    learning: Learning = RecipeOptions(),
    deciding: Deciding = DecisionOptions(),
    cells: Cells = CellOptions(),
) -> None:
    """Train once per fold, each patient being tested once, and show the spread.

    Parameters
    ----------
    data
        As for train.
    out
        Folder of the runs, OUT/fold1 and so on. Finished folds in it are kept, a stopped one is
        gone on with.
    folds
        Number of folds, from 2.
    final
        Then train on all patients: OUT/final/model, with the folds' figures.
    on_correction
        With --labels: learn the corrected label, or leave such cells out.
    device
        Processor; auto takes a GPU where there is one.
    """
    _require_extra()
    from hemozoin.training.config import RunConfig
    from hemozoin.training.crossval import cross_validate

    config = RunConfig(
        data, cells, learning.recipe(), None, on_correction, deciding.aim(), deciding.prevalence
    )
    print(cross_validate(config, out, folds, device, final))


@app.command
def sweep(
    data: Path,
    *,
    out: Path,
    epochs: int = 4,
    seeds: int = 3,
    tables: str = "4,5,6,7",
    alpha: float = 0.25,
    size: int = 64,
    alphas: str = "1,0.75,0.5,0.25",
    sizes: str = "96,64,48,32",
    device: Device = "auto",
    cells: Cells = CellOptions(),
) -> None:
    """Repeat the paper's experiments on cells: full convolutions, fewer layers, widths, sizes.

    Every network is trained alike and tested on the same patients, seed by seed.

    Parameters
    ----------
    data
        As for train.
    out
        Folder of the rows, tables, drawings and runs. The same command, given again, does what
        is left.
    epochs
        Times that each training cell is seen, for every network.
    seeds
        How many times all is done, each with other test patients.
    tables
        Which of the paper's: 4 (full convolutions), 5 (shallow), 6 (widths), 7 (sizes).
    alpha
        Width multiplier, above 0, of the network that is changed.
    size
        Its input size in pixels, from 32.
    alphas
        Its other widths, for Table 6.
    sizes
        Its other input sizes, for Table 7.
    device
        Processor; auto takes a GPU where there is one.
    """
    _require_extra()
    from hemozoin.sweeping.grid import Grid, read_numbers, read_tables
    from hemozoin.sweeping.sweep import Sweep, run_sweep
    from hemozoin.training.config import RunConfig
    from hemozoin.training.recipe import Recipe

    widths, pixels = read_numbers(alphas, "alphas", float), read_numbers(sizes, "sizes", int)
    grid = Grid(alpha, size, widths, pixels)
    config = RunConfig(data, cells, Recipe(epochs=epochs))
    print(run_sweep(Sweep(config, grid, read_tables(tables), seeds), out, device))


@app.command
def predict(
    paths: list[Path],
    /,
    *,
    model: str = "nano",
    precision: Precision = "fp32",
    no_review: bool = False,
    explain: Path | None = None,
    out: Path | None = None,
    as_json: Annotated[bool, Parameter(name="--json")] = False,
) -> None:
    """Tell parasitized from uninfected cells: one row per picture, bad ones with their error.

    A cell that is not like those trained on, or too close to call, is for review.

    Parameters
    ----------
    paths
        Pictures, folders, zips; one cell a picture.
    model
        A network that ships, by its name, or the folder of a model or a run.
    precision
        int8 is smaller and quicker, where the model has it.
    no_review
        Decide every cell, also strange ones and close calls.
    explain
        Folder, new or empty, for a picture of each cell and of what in it speaks for what.
    out
        A .csv, .parquet, .json or .jsonl (JSON Lines) file; standard output without it.
    as_json
        Print JSON Lines instead of CSV.
    """
    if out and as_json:
        raise RunError("--json is for standard output; the ending of --out says what that is")
    from hemozoin.model.overlay import write_explanations
    from hemozoin.model.predict import find_in_paths
    from hemozoin.model.predictor import Predictor
    from hemozoin.model.table import write_csv, write_json_lines, write_table
    from hemozoin.progress import track

    predictor = Predictor.load(model, precision)
    findings = _pointing_at_screen(find_in_paths(paths, predictor, not no_review))
    predictions = (
        write_explanations(findings, predictor, explain)
        if explain
        else (found.prediction for found in findings)
    )
    if out:
        write_table(track(predictions, "Predicting"), out)
    else:
        (write_json_lines if as_json else write_csv)(predictions, sys.stdout)


@app.command
def screen(
    paths: list[Path],
    /,
    *,
    out: Path,
    model: str = "nano",
    precision: Precision = "fp32",
    diameter: float | None = None,
    rbc_per_ul: float | None = None,
    hematocrit: float | None = None,
    coco: bool = False,
    overwrite: bool = False,
    scheduler: str | None = None,
    as_json: Annotated[bool, Parameter(name="--json")] = False,
) -> None:
    """Count cells and infected cells on pictures of thin smears: the parasitaemia of each slide.

    The same command, given again, goes on where it was stopped.

    Parameters
    ----------
    paths
        Pictures, which are fields of one slide; folders, each a slide, as are folders in them.
    out
        Folder for tables, report and overlays; new, empty, or of the same command.
    model
        A network that ships, by its name, or the folder of a model or a run.
    precision
        int8 is smaller and quicker, where the model has it.
    diameter
        Diameter of a red cell in px; found in each field without it.
    rbc_per_ul
        The patient's red cells per µL; 5 million where nobody says.
    hematocrit
        The patient's hematocrit in %, instead.
    coco
        Write all outlines and boxes too, as cells.coco.json.
    overwrite
        Remove what was screened into --out before.
    scheduler
        Address of a Dask cluster that does the work, such as tcp://192.168.0.7:8786.
    as_json
        Print the counts as JSON, a list of slides.
    """
    from hemozoin.smear.blood import Blood
    from hemozoin.smear.run import ScreenConfig, screen_slides

    blood = Blood(rbc_per_ul, hematocrit)
    config = ScreenConfig(model, precision, diameter, blood, coco, scheduler)
    slides = screen_slides(paths, out, config, overwrite)
    if as_json:
        print(json.dumps([slide.to_dict() for slide in slides], indent=2))
    else:
        print("\n\n".join(slide.text() for slide in slides))
        print(f"Report: {out / 'report.html' if len(slides) == 1 else out / 'slides.csv'}")


@app.command
def inspect(
    data: Path,
    *,
    html: Path | None = None,
    as_json: Annotated[bool, Parameter(name="--json")] = False,
    cells: Cells = CellOptions(),
) -> None:
    """Look at a data set: classes, patients, sizes, colours, bad files, duplicates.

    Parameters
    ----------
    data
        A zip or folder with two class folders.
    html
        Write the same as one page, with a contact sheet of both classes.
    as_json
        Print it as JSON.
    """
    from hemozoin.cells.dataset import find_cells
    from hemozoin.inspecting.inspect import inspect as look
    from hemozoin.inspecting.page import render_page
    from hemozoin.pages import write_page

    inspection = look(*find_cells(data, cells))
    if html:
        write_page(render_page(inspection), html)
    print(json.dumps(inspection.to_dict(), indent=2) if as_json else inspection.text())


@app.command
def download(out: Path = Path("cell_images.zip")) -> None:
    """Fetch NLM's cell_images.zip (353 MB), going on where a transfer broke off.

    Parameters
    ----------
    out
        Where to put it.
    """
    from hemozoin.cells.download import download as fetch

    print(fetch(out))


@app.command
def demo(*, out: Path = Path("runs/demo"), data: Path | None = None) -> None:
    """Make synthetic cells (or take DATA), train, test, and say where the report is.

    Parameters
    ----------
    out
        Folder of the run; an earlier demo in it is replaced.
    data
        NLM's cell_images.zip instead of synthetic cells.
    """
    _require_extra()
    from hemozoin.training.demo import run_demo

    run_demo(out, data)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    if sys.stdout is None:  # closed by who started us
        sys.stdout = io.StringIO()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # not every terminal knows α
    try:
        app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _complain(f"stopped; {_how_to_go_on(arguments)}", 130)
    except BrokenPipeError:  # `hemozoin predict ... | head`
        return 0
    except OSError as error:
        return _complain(_of_the_system(error, _how_to_go_on(arguments)))
    except MemoryError:
        return _complain("out of memory; take a smaller --batch, --size or --alpha")
    except (HemozoinError, CycloptsError) as error:
        return _complain(str(error))
    finally:
        _give_up_what_cannot_be_printed()
    return 0


def _pointing_at_screen(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Hand findings on, and say in the end how many may be of whole fields."""
    from hemozoin.progress import say

    empty = 0
    for found in findings:
        empty += found.pixels is not None and not found.pixels.any()
        yield found
    if empty:
        say(
            f"pictures without a single cell in the middle: {empty}; fields are for hemozoin screen"
        )


def _how_to_go_on(arguments: list[str] | None) -> str:
    if (sys.argv[1:] if arguments is None else arguments)[:1] == ["screen"]:
        return "the same command goes on where it was"
    return "a run goes on with hemozoin train --resume RUN"


def _of_the_system(error: OSError, how_to_go_on: str) -> str:
    where = f"{error.filename}: " if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{where}disk full; make room; {how_to_go_on}"
    return f"{where}{error.strerror or error}"


def _complain(message: str, code: int = 2) -> int:
    print(f"hemozoin: {' '.join(message.split())}", file=sys.stderr)
    return code


def _give_up_what_cannot_be_printed() -> None:
    """Let Python not complain at its end that standard output is closed or full."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _require_extra() -> None:
    try:
        import onnx  # noqa: F401
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("this needs torch: pip install 'hemozoin[train]'") from error
