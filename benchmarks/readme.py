"""Write the measured figures into the Markdown files, between their markers.

    python benchmarks/readme.py

A test holds the files against what this would write, so no figure there can be typed by hand.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from pathlib import Path

import rows
from hemozoin.paper.sweep.rows import read_rows
from hemozoin.paper.sweep.tables import markdown

ROOT = Path(__file__).parents[1]

Runs = list[dict[str, str]]


def main() -> None:
    """Bring every file up to date."""
    for path, name in PLACES:
        path.write_text(updated(path, name), encoding="utf-8")


def updated(path: Path, name: str) -> str:
    """Return the text of a file with the block `name` made anew."""
    opening, closing = f"<!-- figures: {name} -->", "<!-- end -->"
    before, found, rest = path.read_text(encoding="utf-8").partition(opening)
    if not found:
        raise SystemExit(f"{path}: no {opening}")
    after = rest.partition(closing)[2]
    return f"{before}{opening}\n{BLOCKS[name]()}\n{closing}{after}"


def headline() -> str:
    """Return the table of `headline.csv`: a line per preset."""
    found = rows.read("headline.csv")
    lines = [
        "| | accuracy | AUC | accuracy where both labels agree | calibration error | whole run |"
        " peak memory |",
        "|---|---|---|---|---|---|---|",
    ]
    for preset in dict.fromkeys(row["preset"] for row in found):
        runs = [row for row in found if row["preset"] == preset]
        lines.append(
            f"| `{preset}` (n = {len(runs)}) | {_spread(runs, 'accuracy')}"
            f" | {_spread(runs, 'auc')} | {_spread(runs, 'accuracy_agreed')}"
            f" | {_spread(runs, 'calibration_error', 3)}"
            f" | {_spread(runs, 'seconds', 0)} s | {max(int(r['peak_mb']) for r in runs):,} MB |"
        )
    return "\n".join([*lines, "", _conditions(found)])


def recipes() -> str:
    """Return the table of `recipes.csv`: a line per variant, as it is and unturned."""
    found = rows.read("recipes.csv")
    lines = [
        "| variant | turns averaged | n | accuracy | AUC | accuracy, corrected labels |"
        " accuracy where both agree | seconds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for key in dict.fromkeys((row["variant"], row["orientations"]) for row in found):
        runs = [row for row in found if (row["variant"], row["orientations"]) == key]
        lines.append(
            f"| {key[0]} | {key[1]} | {len(runs)} | {_spread(runs, 'accuracy')}"
            f" | {_spread(runs, 'auc')} | {_spread(runs, 'accuracy_corrected')}"
            f" | {_spread(runs, 'accuracy_agreed')} | {_spread(runs, 'seconds', 0)} |"
        )
    return "\n".join([*lines, "", _conditions(found)])


def fields() -> str:
    """Return the table of `fields.csv`: a line per network and set of fields."""
    found = rows.read("fields.csv")
    lines = [
        "| | fields | cells marked and found, found only, marked only | F1 | counts within 10 % |"
        " infected: found, not found | AUC | sensitivity | specificity | fields a second |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| `{row['model']}`, {row['data']} | {row['fields']}"
        f" | {row['marked_and_found']}, {row['found_only']}, {row['marked_only']} | {row['f1']}"
        f" | {float(row['counts_within_10_percent']):.0%} | {row['infected']},"
        f" {row['infected_not_found']} | {row['auc']} | {row['sensitivity']}"
        f" | {row['specificity']} | {int(row['fields']) / float(row['seconds']):.1f} |"
        for row in found
    ]
    last = found[-1]
    text = (
        "Cells that people marked; one found and one marked are the same from an overlap of half"
        " on, what lies within 8 px of the edge is never wrong. Counts: red cells found over marked"
        f" ones, by field. {last['cores']} cores ({last['machine']}), hemozoin"
        f" {last['hemozoin']}; threads as the command sets them, from files to report."
    )
    return "\n".join([*lines, "", text])


def stages() -> str:
    """Return the table of `stages.csv`: a line per stage, and one per length of the command."""
    found = rows.read("stages.csv")
    lines = ["| | fields | n | ms a field: median | least to most |", "|---|---|---|---|---|"]
    for key in dict.fromkeys((row["stage"], row["fields"]) for row in found):
        runs = [row for row in found if (row["stage"], row["fields"]) == key]
        each = sorted(1000 * float(row["seconds"]) / int(row["fields"]) for row in runs)
        lines.append(
            f"| {key[0]} | {key[1]} | {len(each)} | {statistics.median(each):.0f}"
            f" | {each[0]:.0f} to {each[-1]:.0f} |"
        )
    text = (
        "Fields of 1280x960 px with some 110 red cells. Stages: one process, one thread. The"
        f" command: from files to report, starting included ({found[-1]['machine']}, hemozoin"
        f" {found[-1]['hemozoin']})."
    )
    return "\n".join([*lines, "", text])


def shipped() -> str:
    """Return the table of `shipped.csv`: a line per network, and one for each of its folds."""
    found = rows.read("shipped.csv")
    lines = [
        "| | accuracy | AUC | AUC, corrected labels | accuracy where both labels agree |"
        " calibration error |",
        "|---|---|---|---|---|---|",
    ]
    for network in dict.fromkeys(row["network"] for row in found):
        folds = [row for row in found if row["network"] == network]
        named = [(f"**`{network}`** ({len(folds)} folds)", folds)]
        named += [(f"{row['fold'].replace('fold', 'fold ')}", [row]) for row in folds]
        lines += [_line(name, runs) for name, runs in named]
    return "\n".join([*lines, "", _conditions(found)])


def _line(name: str, runs: Runs) -> str:
    columns = ("accuracy", "auc", "auc_corrected", "accuracy_agreed")
    shown = [_spread(runs, column) for column in columns]
    return f"| {name} | {' | '.join(shown)} | {_spread(runs, 'calibration_error', 3)} |"


def microscope() -> str:
    """Return the table of `microscope.csv`: a line per network."""
    found = rows.read("microscope.csv")
    lines = [
        "| | AUC | sensitivity | specificity | for review | decided: sensitivity, specificity |",
        "|---|---|---|---|---|---|",
    ]
    for row in found:
        figures = [_interval(row, name) for name in ("roc_auc", "sensitivity", "specificity")]
        decided = f"{row['decided_sensitivity']}, {row['decided_specificity']}"
        review = f"{float(row['review']):.1%}"
        lines.append(f"| `{row['model']}` | {' | '.join(figures)} | {review} | {decided} |")
    last = found[-1]
    return "\n".join(
        [
            *lines,
            "",
            f"{last['parasitized']} parasitized and {int(last['uninfected']):,} uninfected cells"
            " as marked; 95 % intervals from resampling fields; the threshold is the one that"
            f" ships. hemozoin {last['hemozoin']}.",
        ]
    )


def _interval(row: dict[str, str], name: str) -> str:
    return f"{float(row[name]):.3f} ({row[f'{name}_low']} to {row[f'{name}_high']})"


def speed() -> str:
    """Return the table of `speed.csv`: a line per contender, and its ratio to the first."""
    found = rows.read("speed.csv")
    lines = ["| | cells a second | hemozoin is so many times as fast |", "|---|---|---|"]
    for what, name in dict.fromkeys((row["what"], row["contender"]) for row in found):
        runs = _turns(found, what, name)
        ours = _turns(found, what, "hemozoin" if what == "end to end" else "ONNX Runtime")
        ratios = [mine / theirs for mine, theirs in zip(ours, runs, strict=True)]
        lines.append(
            f"| {what}: {name} | {statistics.median(runs):,.0f} ({min(runs):,.0f} to"
            f" {max(runs):,.0f}) | {statistics.median(ratios):.1f} ({min(ratios):.1f} to"
            f" {max(ratios):.1f}) |"
        )
    last = found[-1]
    turns = len({row["turn"] for row in found})
    return "\n".join(
        [
            *lines,
            "",
            f"Median (least to most) of {turns} turns in one run. {last['cores']} cores"
            f" ({last['machine']}), no GPU, torch {last['torch']}, hemozoin {last['hemozoin']}.",
        ]
    )


def _turns(found: Runs, what: str, name: str) -> list[float]:
    """Return the speeds of one contender, in the order of the turns."""
    return [
        float(row["cells_per_second"])
        for row in found
        if (row["what"], row["contender"]) == (what, name)
    ]


def int8() -> str:
    """Return the table of `int8.csv`: what 8 bits lose on each run's own test patients."""
    found = rows.read("int8.csv")
    lines = [
        "| run | how it is quantized | test cells | AUC lost | accuracy lost | decisions changed |",
        "|---|---|---|---|---|---|",
    ]
    for row in found:
        what = f"{row['run']} | {row['variant']} | {int(row['cells']):,}"
        lost = f"{float(row['auc_drop']):z.4f} | {float(row['accuracy_drop']):z.4f}"
        lines.append(f"| {what} | {lost} | {row['changed']} |")
    return "\n".join(
        [
            *lines,
            "",
            "Against the network in 32 bits, on test patients that neither it nor the calibration"
            " has seen; `hemozoin` is what ships.",
        ]
    )


def abstention() -> str:
    """Return the table of `abstention.csv`: the review band on patients never seen, run by run."""
    found = rows.read("abstention.csv")
    columns = (
        "review",
        "missed",
        "false_alarms",
        "accuracy",
        "accuracy_agreed",
        "out_of_distribution",
    )
    lines = [
        "| | for review | decided: missed | false alarms | accuracy | accuracy, labels agree |"
        " called strange |",
        "|---|---|---|---|---|---|---|",
    ]
    named = [(row["run"], [row]) for row in found] + [(f"all (n = {len(found)})", found)]
    for name, runs in named:
        shown = " | ".join(_spread(runs, column, 3) for column in columns)
        lines.append(f"| {name} | {shown} |")
    return "\n".join([*lines, "", _conditions(found)])


def out_of_distribution() -> str:
    """Return the table of `out_of_distribution.csv`: a line per kind of strange picture."""
    found = rows.read("out_of_distribution.csv")
    lines = ["| kind | pictures | caught | least to most |", "|---|---|---|---|"]
    for row in found:
        seen = "" if row["tuned"] == "True" else " *"
        spread = f"{float(row['least']):.2f} to {float(row['most']):.2f}"
        lines.append(
            f"| {row['kind']}{seen} | {row['pictures']} | {float(row['out_of_distribution']):.2f} | {spread} |"
        )
    note = (
        "Mean and range over the detectors of {} runs; * kinds that were not in view while tuning."
    )
    return "\n".join([*lines, "", note.format(found[-1]["detectors"])])


def leaks() -> str:
    """Return the table of `leaks.csv`: a line for each thing that a name gives away."""
    found = rows.read("leaks.csv")
    lines = ["| known of a cell | how many there are | label guessed right |", "|---|---|---|"]
    for row in found:
        lines.append(f"| {row['known']} | {int(row['groups']):,} | {float(row['right']):.1%} |")
    last = found[-1]
    return "\n".join(
        [
            *lines,
            "",
            f"{int(last['cells']):,} cells of {last['patients']} patients, no pixel read. In"
            f" {last['in_order']} of {last['mixed_photos']} photos with both classes every"
            " parasitized cell has a higher number than every uninfected one.",
        ]
    )


def patients() -> str:
    """Return a sentence on `patients.csv`: how uneven cells and doubted labels are."""
    (row,) = rows.read("patients.csv")
    share = int(row["doubted"]) / int(row["cells"])
    return (
        f"Of {row['patients']} patients {row['hold_half_of_the_parasitized']} hold half of the"
        f" parasitized cells, and {row['without_parasitized']} have none."
        f" {int(row['doubted']):,} of {int(row['cells']):,} labels are doubted ({share:.1%});"
        f" {row['hold_half_of_the_doubted']} patients hold half of these, and of one patient's"
        f" {row['of_cells']} labels {row['most_doubted']} are."
    )


def sweep() -> str:
    """Return the tables of `sweep.csv`: Tables 4 to 7 of the paper, on cells."""
    found = rows.read("sweep.csv")
    tables = markdown(read_rows(rows.RESULTS / "sweep.csv"))
    return f"{tables}\n\n{found[0]['epochs']} epochs each. {_conditions(found)}"


def sweep_agreed() -> str:
    """Return the table of `sweep_agreed.csv`: a line per network and number of epochs."""
    found = rows.read("sweep_agreed.csv")
    columns = ("accuracy", "auc", "accuracy_agreed", "auc_agreed")
    lines = [
        "| Network | epochs | n | accuracy | AUC | accuracy where both labels agree | AUC there |",
        "|---|---|---|---|---|---|---|",
    ]
    for key in dict.fromkeys((row["network"], row["epochs"]) for row in found):
        runs = [row for row in found if (row["network"], row["epochs"]) == key]
        shown = " | ".join(_spread(runs, column) for column in columns)
        lines.append(f"| {' | '.join(key)} | {len(runs)} | {shown} |")
    cells = [int(row["cells_agreed"]) for row in found]
    note = f"{min(cells):,} to {max(cells):,} test cells on which both labels agree."
    return "\n".join([*lines, "", note])


def _spread(runs: Runs, column: str, digits: int = 4) -> str:
    values = [float(row[column]) for row in runs]
    shown = f"{statistics.mean(values):.{digits}f}"
    if len(values) > 1:
        shown += f" ± {statistics.stdev(values):.{digits}f}"
    return shown


def _conditions(found: Runs) -> str:
    """Say what the figures hold for: test cells, machine, versions."""
    cells = [int(row["cells"]) for row in found]
    patients = [int(row["patients"]) for row in found]
    last = found[-1]
    return (
        f"Mean ± standard deviation over n splits by patient; {min(cells):,} to {max(cells):,} test"
        f" cells of {min(patients)} to {max(patients)} patients each. {last['cores']} cores"
        f" ({last['machine']}), no GPU, torch {last['torch']}, hemozoin {last['hemozoin']}."
    )


BLOCKS: dict[str, Callable[[], str]] = {
    make.__name__: make
    for make in (
        *(
            headline,
            shipped,
            microscope,
            speed,
            int8,
            recipes,
            abstention,
            out_of_distribution,
            leaks,
            patients,
        ),
        *(sweep, sweep_agreed, fields, stages),
    )
}

#: The tables of the documentation's page of results.
SHOWN = (
    "shipped",
    "microscope",
    "headline",
    "speed",
    "int8",
    "abstention",
    "out_of_distribution",
    "recipes",
    "fields",
    "stages",
)

PLACES = (
    *(
        (ROOT / "README.md", name)
        for name in ("headline", "shipped", "microscope", "speed", "fields")
    ),
    *(
        (ROOT / "benchmarks" / "README.md", name)
        for name in ("recipes", "abstention", "out_of_distribution")
    ),
    *((ROOT / "docs" / "results.md", name) for name in SHOWN),
    *((ROOT / "docs" / "traps.md", name) for name in ("leaks", "patients")),
    *((ROOT / "docs" / "paper-on-malaria.md", name) for name in ("sweep", "sweep_agreed")),
)


if __name__ == "__main__":
    main()
