"""What all HTML pages share: each page is one file that loads nothing.

page.py         fill a template, write the page
base.html       the frame of every page; base.css is its style sheet
style.py        the style of all plots, and the colours of the pages
svg.py          a plot as an inline SVG in the colours of the page
plot_files.py   a plot as PNG, PDF and SVG
"""
