"""The networks that come with the package: a model folder each, under its name."""
