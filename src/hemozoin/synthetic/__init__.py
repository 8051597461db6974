"""Synthetic cells and smears: they are drawn, and called synthetic wherever they are used.

They replace NLM's file in the demo and in tests; no metric measured on them says anything about a
real smear. Where an infected cell has a parasite, an uninfected one has a similarly dark decoy, so
that only form and colour distinguish the classes (blue cytoplasm with chromatin on it), not how
dark a cell is, or where.

A cell is made as a microscope makes its picture: the inks on a canvas are optical densities, light
passes through them (Beer-Lambert), the lens blurs, the sensor adds noise, and a coarse
segmentation cuts the cell out. In a smear each cell has a layer of its own, and where cells
overlap their densities add up; there, most uninfected cells are clean, as in real blood.

- `canvas`: the drawing of one cell, an amount of each ink per pixel
- `inclusions`: parasites, platelets and artefacts
- `cell`: one cell of a patient, photographed and cut out
- `dataset`: a zip of cells in the layout of NLM's file
- `layers`: the objects of a smear, each on a small layer
- `layout`: random places for the objects
- `photograph`: from densities to the picture of a field
- `smear`: a whole field with its ground truth
"""
