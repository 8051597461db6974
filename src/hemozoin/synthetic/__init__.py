"""Synthetic cells and smears: drawn, not photographed, and openly called so.

They stand in for NLM's file in the demo and in tests; no figure measured on them says anything
about a real smear. Each infected cell has a parasite where an uninfected one has a decoy of
like darkness, so that form and colour tell the classes apart: blue cytoplasm with chromatin on
it, not how dark a cell is, or where.

A cell comes about as its picture does in a microscope: inks lie on a canvas as optical
densities, light falls through them (Beer-Lambert), the lens blurs, the sensor adds noise, and
a coarse segmentation cuts the cell out. In a smear each cell has a layer of its own, and where
cells overlap their densities add up; most of the uninfected are clean there, as in real blood.
"""
