"""From the picture of a field to its objects, each with its kind, box and outline.

    picture
       │  cell_size      diameter of the red cells, which sets the scale of a small copy
       ▼
    small copy
       │  background     optical density relative to the background; stain density
       ▼
    densities
       │  foreground     which pixels belong to objects
       ▼
    foreground mask
       │  nuclei         white cells, taken out of the mask
       │  watershed      clumps cut into pieces
       │  merge_tree     pieces merged to the regions that are most like single cells,
       │                 by their shape (shape) and colour (color)
       ▼
    regions
       │  objects        runs all of it, and gives each region its kind
       ▼
    objects

The kinds are red cell, white cell, platelet, debris, cut by the edge, and clump.
"""
