"""The experiments of the paper, Tables 4 to 7, repeated on cells."""
