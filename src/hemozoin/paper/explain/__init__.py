"""`hemozoin explain`: why MobileNet is cheap, with every number of its paper recomputed.

Each explanation as text for a terminal and as plain values for JSON:
  spatial.py     spatial separability: a kernel as a column times a row
  depthwise.py   depthwise separable convolution: filter each channel, then mix the channels
  block.py       the paper's block: batch norm, ReLU, and torch code for it
  network.py     MobileNet layer by layer: cost, receptive field, memory
  tables.py      the paper's tables next to the counts
chapters.py      the explanations that are shown, all or one
example_cell.py  the synthetic cell that kernels are tried on

The HTML page:
  page.py        fills page.html and chapters.html; the style is page.css
  drawing.py     SVG in the page's colours
  plots.py       plots of kernels, costs and the network
  blocks.py      diagrams of the two steps and of the paper's block
"""
