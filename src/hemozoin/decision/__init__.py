"""From the network's log odds to a decision: every rule is fitted on validation cells.

temperature.py           calibrated probabilities: temperature scaling
threshold.py             the probability from which a cell is labelled parasitized
conformal.py             the review band: probabilities for which the network abstains
patient_rate.py          how often a patient's cells are called, and how patients differ in it
false_positive_rate.py   this rate for uninfected cells that are decided parasitized
counting_point.py        the threshold for counting thousands of cells, with both of its rates
healthy_log_odds.py      how infected the healthy cells of a slide may look to the network
reference_patients.py    whether a slide is like those on which the rates were measured
ood.py                   out-of-distribution detector: pictures that do not show a red cell

log odds ── temperature ── p ──┬── threshold ──────────────── label
                               └── review band ──┐
pixels ── out-of-distribution detector ──────────┴── decision: parasitized, uninfected or review

The counting point does not change these decisions: of the cells that are decided parasitized, it
counts those with a high p.
"""
