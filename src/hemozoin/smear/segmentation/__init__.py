"""From the picture of a field to its objects, each with its kind, box and outline.

    picture
       │  cell_size      diameter of the red cells, which sets the scale of a small copy
       ▼
    small copy
       │  background     optical density relative to the background; the stain in 8 bits
       ▼
    stain
       │  foreground     which pixels belong to objects
       ▼
    foreground mask
       │  nuclei         white cells, taken out of the mask
       │  splitting/     clumps cut into pieces (watershed), and these merged to the regions that
       │                 are most like single cells (merge_tree) by shape and colour
       ▼
    regions
       │  kinds          red cell, platelet, debris, cut by the edge, or clump
       ▼
    objects              objects.py runs all of it

Every number is in parameters. The steps share levels (histograms, Otsu's threshold), morphology,
distance, regions, shape and color. They use functions that OpenCV has in Python and in
JavaScript, and from the stain on they compute with integers, so that rounding decides nothing.
"""
