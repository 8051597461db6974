"""The paper made visible: `hemozoin explain`.

spatial.py     a kernel as a column times a row        ┐ each as text for a terminal,
depthwise.py   filter first, mix after                 │ as plain values for JSON, and
network.py     MobileNet, layer by layer               │ as a chapter of the page
tables.py      the paper's tables beside our counts    ┘
chapters.py    what is shown, all of it or a part
picture.py     the cell that kernels are tried on
drawing.py     figures as SVG in the page's own colours
figures.py     kernels, costs, the network
blocks.py      the two steps of a depthwise separable convolution
page.py        one HTML page: page.html around chapters.html, in the style of page.css
command.py     the verbs
"""
