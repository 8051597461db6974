"""How good a network is on patients it never saw.

metrics.py      every figure, per cell and by patient
intervals.py    95 % intervals and curve bands that resample patients
threshold.py    the threshold, chosen on validation cells
calibration.py  the temperature, fitted on validation cells
conformal.py    the band of p that is left to a person, fitted on validation cells
judgement.py    all of it for one set of test cells
folds.py        the spread over the folds of a cross-validation
figures.py      the drawings of the report
report.py       report.html, and the same in a few lines for the terminal
"""
