"""From the network's log odds to a decision: every rule is fitted on validation cells.

temperature.py           calibrated probabilities: temperature scaling
threshold.py             the probability from which a cell is labelled parasitized
conformal.py             the review band: probabilities for which the network abstains
false_positive_rate.py   how often uninfected cells are decided parasitized, by patient
ood.py                   out-of-distribution detector: pictures that do not show a red cell

log odds ── temperature ── p ──┬── threshold ──────────────── label
                               └── review band ──┐
pixels ── out-of-distribution detector ──────────┴── decision: parasitized, uninfected or review

The false-positive rate describes these decisions; the count of infected cells on a slide needs it.
"""
