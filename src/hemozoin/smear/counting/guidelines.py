"""How many red cells laboratories are asked to count on a thin film.

- CDC, DPDx, "Laboratory diagnosis of malaria: determination of parasitemia"
  (https://www.cdc.gov/dpdx/diagnosticprocedures/blood/microexam.html): 500 red cells, 2,000 if less
  than 1 % are infected.
- British Society for Haematology: Rogers et al. 2022, Br. J. Haematol. 197, 271
  (https://doi.org/10.1111/bjh.18092): 1,000.
- WHO/TDR 2015, "Microscopy for the detection, identification and quantification of malaria
  parasites on stained thick and thin blood films in research settings" (ISBN 978 92 4 154921 9):
  5,000.

These numbers are for a count by eye, which has next to no false positives.
"""

from __future__ import annotations

import math

#: The fewest red cells that any of them asks for: CDC, where many are infected.
FEWEST_RED_CELLS = 500

#: Why a slide with fewer may need confirmation.
TOO_FEW = f"with fewer than {FEWEST_RED_CELLS} red cells, one or two false alarms decide"

#: CDC asks for more cells below this parasitaemia.
_LOW_PARASITAEMIA = 0.01


def red_cells_asked(parasitaemia: float) -> dict[str, int]:
    """Return the number of red cells that each guideline asks for, at a parasitaemia in 0..1."""
    cdc = 2000 if parasitaemia < _LOW_PARASITAEMIA else FEWEST_RED_CELLS
    return {"CDC": cdc, "BSH": 1000, "WHO": 5000}


def fields_missing(asked: int, red_cells: int, fields: int) -> int | None:
    """Return how many more fields with as many red cells each reach the number asked for.

    None if no red cell was counted.
    """
    if not red_cells:
        return None
    return max(0, math.ceil((asked - red_cells) * fields / red_cells))
