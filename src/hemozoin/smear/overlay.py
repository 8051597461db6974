"""A field and its cells as pictures for people, each decision shown by its outline."""

from __future__ import annotations

from PIL import Image

from hemozoin.smear.field import Body, Field


def draw_overlay(picture: Image.Image, field: Field) -> bytes:
    """Return the field's picture (RGB) with every outline on it, as a JPEG."""
    raise NotImplementedError


def cell_picture(picture: Image.Image, cell: Body) -> bytes:
    """Return a cell with what lies around it, as a JPEG."""
    raise NotImplementedError
