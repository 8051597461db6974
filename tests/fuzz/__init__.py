"""Damaged and hostile input for every verb: `make fuzz`, and a small part of it in `make test`.

    python -m tests.fuzz --minutes 5            every kind of input, for five minutes
    python -m tests.fuzz --kind zips --count 1000 --seed 0
    python -m tests.fuzz --kind zips --case 17 --seed 0      one case again

A case is a kind of input and a number: with the seed they determine the input. Each is given to
the command line in a process of its own kind, and has to end as `oracles.py` says.

    campaign.py    cases, processes, failures, the table
    worker.py      the process that runs the cases of a kind
    oracles.py     what must be true of every command
    kinds.py       the list of kinds
    pictures.py    pictures of cells and of fields; seeds.py draws them, formats.py edits them
    zips.py        zips of cells
    folders.py     folders of cells, and tables of patients and labels
    models.py      model folders with new checksums
    states.py      what a stopped or finished command has saved
    worklists.py   worklists with answers, and slides with reviews
    kills.py       commands that are killed, or find the disk full, at one of their writes
    mutations.py   changes of any bytes and of JSON
"""
