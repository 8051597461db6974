"""Touching cells separated: a watershed, whose pieces are merged by shape and colour."""
