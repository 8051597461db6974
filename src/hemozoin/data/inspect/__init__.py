"""Check a data set before training: `hemozoin inspect`.

measurement.py    size, colour and hash of every picture
findings.py       counts, quantiles, duplicates, errors and advice
contact_sheet.py  the example cells
inspection.py     all of it, as text and JSON
page.py           all of it, as an HTML page
"""
