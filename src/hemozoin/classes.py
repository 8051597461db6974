"""The two classes of red cells. "parasitized" is always the positive class, by name."""

from __future__ import annotations

PARASITIZED = "parasitized"
UNINFECTED = "uninfected"

#: The order of the network's outputs. Everything else refers to the classes by name.
CLASSES = (UNINFECTED, PARASITIZED)

#: The index of the positive class in the network's outputs.
POSITIVE = CLASSES.index(PARASITIZED)
