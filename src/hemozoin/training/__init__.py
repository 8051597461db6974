"""How a network learns. The only room, with `model`, that needs torch."""
