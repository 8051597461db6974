"""The two classes of red cells. "parasitized" is always the positive class, by name."""

from __future__ import annotations

PARASITIZED = "parasitized"
UNINFECTED = "uninfected"

#: The order of the network's outputs. Everything else refers to the classes by name.
CLASSES = (UNINFECTED, PARASITIZED)

#: The index of the positive class in the network's outputs.
POSITIVE = CLASSES.index(PARASITIZED)

#: The share of red cells that are parasitized for which PPV and NPV are given: 1 %, about 50,000
#: parasites per µL at 5 million red cells per µL of blood. That is already a high parasitaemia;
#: half of the NIH cells are parasitized, which is never so in blood.
PREVALENCE = 0.01
