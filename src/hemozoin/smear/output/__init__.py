"""Write the results of screening: tables, counts, reports and pictures.

- `folder.py` lays out the output folder, and keeps the state from which a stopped run resumes.
- `screened_field.py` is a field with its pictures; `overlay.py` draws these pictures.
- `crops.py` stores the pictures of a field's cells.
- `results.py` writes the files of a slide in one pass over its fields, using
  `tables.py` (CSV), `coco.py` (COCO) and `report.py` (HTML).
- `wording.py` and `record_wording.py` have the sentences of the terminal and the report, with
  numbers as in `numbers.py`; `top_k.py` selects cells for the report.
"""
