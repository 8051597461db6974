"""What a network gets to see of a cell, as numbers that every way to compute it shares."""

from __future__ import annotations

from typing import Literal

#: The cell's optical density relative to its own, or plain RGB.
View = Literal["density", "rgb"]

#: Optical densities above the cell's mean within which a pixel counts as plain cell: haemoglobin
#: lies close around the mean, chromatin and pigment above it, central pallor below.
PLAIN_CELL = (-0.15, 0.08)

#: What is seen where there is no cell, in either view.
OUTSIDE = -1.0

#: Brings the spread of the densities near 1, where networks learn best.
DENSITY_GAIN = 4.0
