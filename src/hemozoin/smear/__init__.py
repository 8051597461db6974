"""From whole microscope pictures to counted parasitaemia.

    pictures ── slides ── fields ── bodies ── cells ── answers ── count ── report
    paths       folders   decoded   outlines  crops    network    slide    tables, overlays
                          quality   kinds

A field is one picture of a thin smear; the fields of a folder are one slide.
"""
