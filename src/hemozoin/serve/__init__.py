"""`hemozoin serve`: pictures go in, cells are looked at, and the count comes out.

    browser ── security ── api/ ── store/     slides, jobs, changes, in one SQLite file
                            │
                            ├── uploads       pictures of a new slide
                            ├── slide_files   what screening wrote about a slide
                            ├── reviewing     answers of readers, and the count with them
                            └── work/         what takes long, in processes of its own:
                                              screening, maps of cells, single cells

`server` opens the folder and the port, `app` puts the parts together, and `static/` is the page.

Each fact has one place. The SQLite file has the slides, the names of their pictures, the jobs, and
who changed what. The folder of a slide has what `hemozoin screen` and the reviewers wrote. The
folder of its pictures has the pictures.
"""
