"""Pages besides the report of a slide.

- `agreement_page.py` compares manual and automatic counts over many slides.
- `bland_altman_plot.py` draws its figure.
- `print_page.py` puts the report of a slide on one sheet of A4.
"""
