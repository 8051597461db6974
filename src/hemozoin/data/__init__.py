"""From the user's files to prepared cells, their labels and a split by patient.

- `options`: what the user says about a data set
- `source`: the files of a folder or a zip
- `picture`: decode a picture to RGB uint8
- `decoding`: what is checked before and while a picture from an unknown source is decoded
- `cutout`: find the cell in the middle of a picture with background
- `preprocess`: from a picture of a cell to the pixels that a network sees
- `index`: the table of cells: file, label, patient
- `labels`: corrections of the labels
- `split`: assign the patients to train, validation and test
- `store`: decode all cells once and keep them in a cache
- `dataset`: the steps above, for a data set as the user names it
- `download`: download NLM's file of cells
- `inspect`: `hemozoin inspect`, the check of a data set before training
"""
