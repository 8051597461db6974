"""A trained network made ready for elsewhere: 8 bits, the proof that it is the same, a card."""
