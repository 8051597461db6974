"""Test a network on the cells of patients it was not trained on.

evaluate.py    the work of `hemozoin evaluate`: metrics.json, predictions.csv and report.html
evaluation.py  metrics with 95 % intervals from labels and probabilities
folds.py       the folds of a cross-validation: mean and spread of each metric, and all pooled
fold_report.py report.html of a cross-validation
plots.py       the plots of the report
report.py      report.html, and a summary for the terminal
"""
