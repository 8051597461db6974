"""Whole runs: from the files of a data set to a run folder with model and report.

    start.py ──> run.py: load, split, train, package, test ──> folder.py: RUN/
       ▲
    crossval.py: a run for each fold ──> final.py: one network trained on all patients

config.py      RunConfig: everything that decides a run (config.json)
folder.py      RunFolder: the files of a run
start.py       new run, repeated run, resumed run
run.py         the steps of one run
warnings.py   what makes the metrics of a run less trustworthy
crossval.py    cross-validation by patient
final.py       the network trained on all patients after cross-validation
"""
