"""Metrics of labelled predictions, and their confidence intervals.

predictions.py      LabelledPredictions: true class, predicted probability and patient of each cell
classification.py   all metrics for any weighting of the cells: sensitivity, ROC AUC, Brier score...
bootstrap.py        95 % confidence intervals of the metrics and curves, by resampling patients
beta.py             the beta distribution, and the tails of the binomial distribution
beta.py             the beta distribution, and the tails of the binomial distribution
seen_patients.py    which of the tested patients a network has seen, by salted hashes

predictions ── classification: every metric ── bootstrap: the same metrics on 1,000 resamples
"""
