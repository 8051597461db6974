"""The two classes of red cells. "parasitized" is the positive class, everywhere and by name."""

from __future__ import annotations

PARASITIZED = "parasitized"
UNINFECTED = "uninfected"

#: The order of the network's outputs. Everything else goes by name.
CLASSES = (UNINFECTED, PARASITIZED)

#: The place of the positive class among the network's outputs.
POSITIVE = CLASSES.index(PARASITIZED)
