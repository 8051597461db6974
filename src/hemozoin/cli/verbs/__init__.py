"""The verbs of the command line, one file for each.

- `download`: download NLM's file of cells
- `inspect`: check a data set before training
- `train`: train a network and test it
- `crossval`: train and test it by cross-validation
- `sweep`: train the networks of the paper's tables
- `evaluate`: test a model on labelled cells
- `predict`: classify pictures of single cells
- `screen`: find and count infected cells in pictures of smears
- `review/`: `audit`, `recount`, `reviews`: a person looks at cells of a screened slide
- `export`: write a model for browsers and phones
- `explain`: explain the network of the paper
- `demo`: run the whole pipeline on synthetic cells
"""
