"""The experiments of the MobileNet paper (Howard et al. 2017, arXiv 1704.04861), repeated.

separable.py  spatially and depthwise separable convolutions in numpy, and their cost
tables.py     the paper's Tables 1 to 7 as printed, next to the recomputed numbers
explain/      `hemozoin explain`: both of these as text, JSON and a page
sweep/        `hemozoin sweep`: Tables 4 to 7 repeated with networks trained on cells
"""
