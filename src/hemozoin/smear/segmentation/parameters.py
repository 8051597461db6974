"""Every number that finding objects depends on, as data: one place for Python and for a browser.

Lengths and areas are in px of the small copy in which red cells have the diameter `DIAMETER`,
unless they are said to be relative to a cell. Each step has a table of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: Diameter of a red cell, in px, in the copy in which objects are found. With 36, 44 and 56 an
#: early version took up to twice the time and found no more (F1 .908, .907, .904 against .910).
DIAMETER: Final = 28


@dataclass(frozen=True)
class StainParameters:
    """How the background is fitted, and the stain measured relative to it (`background.py`)."""

    #: Percentiles to which values are clipped before Otsu's method. The darkest 2 % of a field,
    #: nuclei and dirt, would raise the threshold between background and cells.
    clipped: tuple[float, float] = (1, 98)
    #: How often the background's pixels are selected and the illumination is fitted to them.
    rounds: int = 2
    #: Every third row and column is enough to fit the illumination and to measure colours.
    step: int = 3
    #: Pixels near cells are left out of the fit where more than this many remain.
    min_pixels: int = 25
    #: Fewest pixels, both of objects and of background, from which a stain's colour is estimated.
    min_stained: int = 20
    #: Levels of the background and of the densest cells in the 8-bit picture of the stain.
    zero: int = 48
    full: int = 208
    #: The densest cells are taken to have at least this density: noise is not amplified further.
    min_density: float = 0.02
    #: Standard deviation in px of the blur that takes the noise out of the stain.
    blur: float = 0.8


STAIN: Final = StainParameters()


@dataclass(frozen=True)
class ForegroundParameters:
    """Which pixels belong to objects (`foreground.py`)."""

    #: A hole in the mask is the central pallor of a cell where its area is below this share of the
    #: picture and it fills this share of its convex hull: gaps between touching cells have concave
    #: sides. Holes of fewer px than the last number are noise, and are always filled.
    max_pallor: float = 1 / 30
    min_convexity: float = 0.87
    noise_area: int = 6
    #: Least stain of a pale object: as a share of that of the dark objects, and in standard
    #: deviations of the background.
    pale: float = 0.3
    noise: float = 4
    #: Width in px of the blurred rim around a dark object; and least radius in px of a pale
    #: object, which sets it apart from such a rim.
    rim: int = 2
    pale_radius: int = 3
    #: What is narrower than twice this many px, and one more, is a speck in a pale cell, not a dark
    #: object with a rim.
    speck: int = 7
    #: What is narrower than twice this many px, and one more, is no object.
    opening: int = 2


FOREGROUND: Final = ForegroundParameters()


@dataclass(frozen=True)
class SizeParameters:
    """How the diameter of the red cells is measured (`cell_size.py`)."""

    #: Longer side in px of the copy in which the diameter is measured.
    side: int = 400
    #: Diameters measured in that copy are reliable from this one on, in px. Smaller cells merge
    #: with their neighbours: those of 7 px are measured as 9 to 15, those of 4 as 6 to 13.
    reliable: float = 18
    #: An object that touches no other is a cell if it has at least this many px and this solidity,
    #: and less than this elongation.
    min_area: int = 30
    solid: float = 0.9
    elongated: float = 1.6
    #: Fewest isolated cells from which the area of a cell is estimated.
    min_cells: int = 5
    #: Diameter of a round cell divided by the maximum of its blurred edge distance.
    diameter_per_distance: float = 2.2
    #: Maxima of the edge distance that may be cells: from this many px, and this share of the
    #: largest; and the radius in px within which a maximum is the largest value.
    min_distance: float = 2
    min_share: float = 0.3
    radius: int = 3


SIZE: Final = SizeParameters()


@dataclass(frozen=True)
class NucleiParameters:
    """What a nucleus of a white cell is (`nuclei.py`)."""

    #: A pixel belongs to a nucleus where its density, in red or in the mean of all channels, is
    #: this many times the median of the foreground. Red cells of a pink smear absorb hardly any
    #: red, those of a grey smear as much as other colours. A parasite that fills its cell stays
    #: below. `offset` is added for smears whose red cells absorb hardly anything.
    in_red: float = 1.5
    in_all: float = 2.0
    offset: float = 0.03
    #: It is also this many standard deviations of the foreground above the median: in a thick or
    #: uneven smear many red cells are twice as dense as others. In 24 fields without white cells
    #: (BBBC041) this leaves 13 wrong ones of 194, and all but one of 32 in BCCD are still found.
    deviations: float = 3
    #: Least area of a nucleus, in areas of a red cell. All the chromatin of a schizont is less.
    min_area: float = 0.3
    #: It is no nucleus where the densities in the three channels, each over that of most objects,
    #: differ by less than this factor: red cells that lie on each other have their own colour.
    same_color: float = 1.35
    #: It is a parasite where the density has at least this standard deviation over its mean:
    #: `grainy` in an object with at most `small` areas of a red cell, `grainier` in a swollen one,
    #: with at most `large`. In 78 fields of three places white cells have 0.05 to 0.24, parasites
    #: 0.19 to 0.46.
    small: float = 1.7
    large: float = 2.0
    grainy: float = 0.17
    grainier: float = 0.25
    #: Lobes of one nucleus are closer together than this, in square roots of a red cell's area.
    lobes: float = 0.2


NUCLEI: Final = NucleiParameters()


@dataclass(frozen=True)
class WatershedParameters:
    """How a mask is cut into pieces (`watershed.py`)."""

    #: A pixel is in the gap between two touching cells where the stain, over its median, has at
    #: least this curvature (larger eigenvalue of the Hessian), with this sigma in px. The mask
    #: joins such cells, but the stain seldom does.
    curvature: float = 0.09
    sigma: float = 1.2
    #: Levels of the edge distance per px, and the standard deviation in px of its blur.
    levels: int = 8
    blur: float = 0.7
    #: Least edge distance of a seed, in diameters of a cell, and the radius in px within which a
    #: seed is the largest value.
    min_seed: float = 0.1
    radius: int = 2
    #: In a piece that is too large for a cell, this share of the pixels, in %, is taken for a gap:
    #: the palest ones, if they are at least this many px from the outside.
    palest: float = 25
    rim: int = 4


WATERSHED: Final = WatershedParameters()


@dataclass(frozen=True)
class CellParameters:
    """What makes a region like a single cell (`merge_tree.py`)."""

    #: How fast the single-cell score falls: with the logarithm of the area over that of a cell,
    #: with the solidity below `solid`, and with the elongation above `round`.
    area_scale: float = 0.4
    dents_scale: float = 0.15
    length_scale: float = 1.5
    #: Solidity from which on, and elongation up to which, a shape loses no score.
    solid: float = 0.97
    round: float = 1.15
    #: A colour outlier may have this many times the area of other cells, and of their dents.
    swollen: float = 1.25
    crenated: float = 2
    #: A region with this many times the area of a cell isn't a single cell.
    too_large: float = 3
    #: The typical colour is that of the pieces with at least this share of a cell's area.
    min_colored: float = 0.3


CELL: Final = CellParameters()


@dataclass(frozen=True)
class KindParameters:
    """How regions get their kinds (`kinds.py`)."""

    #: An object is small below this share of a red cell's area: a platelet or debris.
    small: float = 0.3
    #: Least separation score of a red cell; a region with less is part of a clump. With less, more
    #: cells are found, and more that nobody marked: with 0.08, F1 falls from .934 to .932 in 24
    #: fields, each in seven of the versions of benchmarks/picture_processing.py.
    min_separation: float = 0.1
    #: The same for a region with a dense spot: this percentile of the density is at least so many
    #: times the median, which is taken to be at least the last number. In 48 fields of two places
    #: in these versions .945 instead of .922 of the infected cells are found, at the same F1.
    min_spotted: float = 0.07
    densest: float = 99
    spot: float = 1.6
    min_density: float = 0.02
    #: With at least this single-cell score a region is a red cell whatever it touches; and with the
    #: second one if it is a colour outlier.
    min_single: float = 0.75
    min_single_outlier: float = 0.3
    #: A small object with this share of its green density in red and blue as well is grey.
    grey: float = 0.8
    #: A platelet has at least this solidity, and less than this elongation.
    solid: float = 0.8
    elongated: float = 2.2


KIND: Final = KindParameters()
