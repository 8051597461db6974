"""`hemozoin sweep`: repeat the paper's experiments on cells."""

from __future__ import annotations

from pathlib import Path

from hemozoin.cli.extras import require_plots_extra, require_training_extra
from hemozoin.cli.options import DataGroup, Device, WholeNumber
from hemozoin.data.options import CellOptions


def sweep(
    data: Path,
    *,
    out: Path,
    epochs: WholeNumber = 4,
    seeds: WholeNumber = 3,
    tables: str = "4,5,6,7",
    alpha: float = 0.25,
    size: WholeNumber = 64,
    alphas: str = "1,0.75,0.5,0.25",
    sizes: str = "96,64,48,32",
    device: Device = "auto",
    cells: DataGroup = CellOptions(),
) -> None:
    """Repeat the paper's experiments on cells: full convolutions, fewer layers, widths, sizes.

    Every network is trained in the same way and, for each seed, tested on the same patients.

    Parameters
    ----------
    data
        Labelled cells, as for train.
    out
        Folder for the rows, tables, plots and runs. Run the same command again to resume.
    epochs
        Number of passes over the training cells, for every network, 1 to 10,000.
    seeds
        Number of repetitions, 1 to 1000. Each has different test patients.
    tables
        Tables of the paper to repeat: 4 (full convolutions), 5 (shallow), 6 (widths), 7 (sizes).
    alpha
        Width multiplier of the base network, above 0, at most 4.
    size
        Input size of the base network in pixels, 32 to 1024.
    alphas
        Widths for Table 6.
    sizes
        Input sizes in pixels for Table 7.
    device
        Processor; auto uses a GPU where there is one.
    """
    require_training_extra()
    require_plots_extra()
    from hemozoin.paper.sweep.grid import Grid, read_numbers, read_tables
    from hemozoin.paper.sweep.sweep import Sweep, run_sweep
    from hemozoin.training.recipe import Recipe
    from hemozoin.training.runs.config import RunConfig

    widths, pixels = read_numbers(alphas, "alphas", float), read_numbers(sizes, "sizes", int)
    grid = Grid(alpha, size, widths, pixels)
    # Each size is trained at that size, and each network on the labels, as in the paper.
    recipe = Recipe(epochs=epochs, learning_rate=6e-3, progressive=False)
    config = RunConfig(data, cells, recipe)
    print(run_sweep(Sweep(config, grid, read_tables(tables), seeds), out, device))
