"""Where cells come from: source, picture, index, labels, split, store."""
