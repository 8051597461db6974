"""The demo: a complete run on synthetic data within a few minutes.

    synthetic cells ──> train and test ──> model ──> screen a synthetic smear ──> counts

demo.py     draws the cells, trains and tests on them
smear.py    draws a smear, screens it, prints the counts next to the true ones
"""
