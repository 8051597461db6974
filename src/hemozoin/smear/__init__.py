"""From pictures of thin smears to parasitaemia: cells found, classified and counted.

    files
      │  slides         which pictures are the fields of which slide
      │  scan           tiles of a picture too large for memory
      ▼
    pictures
      │  picture        decoded; refused where they can't be fields
      │  segmentation/  objects with their outlines and kinds
      │  screen         one picture, from here to its flaws
      │  classification/  red cells classified by the network, and by what the field shows of stain
      │                 and of its other cells
      │  quality        flaws, such as a field out of focus
      ▼
    fields              plain data (field)
      │  counting/      the fields of a slide counted: parasitaemia and its interval
      │  output/        tables, overlays, COCO file, report
      ▼
    files

`execution/` runs all of it for many slides: in threads, in processes or on a Dask cluster.
A field is one picture of a thin smear; the fields of a folder are one slide.
"""
