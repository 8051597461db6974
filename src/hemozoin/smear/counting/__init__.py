"""Count the cells of a slide and estimate its parasitaemia.

- `tally.py` adds up the fields of a slide, one after another.
- `totals.py` holds the sums, and makes the result of them: also of those in a saved slide.json.
- `parasitaemia.py` estimates the share of infected cells, with its 95 % interval.
- `blood.py` holds the patient's red cells per µL.
- `slide.py` holds the result: the counts, the estimate and the verdict.
"""
