"""`hemozoin sweep`: the experiments of the paper's Tables 4 to 7, repeated on cells.

grid.py         the networks that are compared
sweep.py        trains and tests every network; an interrupted sweep can be resumed
measurement.py  the results and the latency of one finished run
rows.py         sweep.csv: one row for each run
tables.py       the rows as Tables 4 to 7, in Markdown
plots.py        accuracy over mult-adds and over parameters (the paper's Figures 4 and 5)
"""
