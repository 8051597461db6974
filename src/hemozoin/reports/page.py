"""What the HTML pages share: each is one file that needs nothing beside it."""

from __future__ import annotations

import io
import re
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from hemozoin.errors import RunError
from hemozoin.files import replace_file


def render(template: str, filters: Mapping[str, Any], **shown: Any) -> str:
    """Fill a template, given by its path below the package; whatever is not markup is escaped."""
    environment = Environment(
        loader=PackageLoader("hemozoin", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(filters)
    return environment.get_template(template).render(shown)


def data_uri(data: bytes, form: str = "jpeg") -> str:
    """Return the bytes of a picture ("jpeg" or "png") as an address that holds it."""
    return f"data:image/{form};base64,{b64encode(data).decode()}"


def write_page(page: str, path: Path) -> None:
    """Write a page, whole or not at all; raises RunError where it can't be written."""
    try:
        path.absolute().parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, page)
    except OSError as error:
        raise RunError(f"{path}: can't be written ({error.strerror or error})") from error


def figure_svg(
    figure: Figure, name: str, style: Mapping[Any, Any], variables: Mapping[str, str]
) -> Markup:
    """Return a figure as an `<svg>` element, named for screen readers.

    matplotlib wants colours, a page has variables, which dark mode changes: `variables` says
    which colour stood for which while drawing. Same figure, same bytes.
    """
    buffer = io.StringIO()
    with mpl.rc_context({**style, "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", transparent=True)
    drawing = buffer.getvalue()
    drawing = drawing[drawing.index("<svg") :]
    drawing = re.sub(r"\s*<metadata>.*?</metadata>", "", drawing, flags=re.DOTALL)
    drawing = re.sub(r' id="[\w.]+_\d+"', "", drawing)  # an id may stand once in a page
    drawing = re.sub(r' (?:width|height)="[^"]*pt"', "", drawing, count=2)
    for colour, variable in variables.items():
        drawing = drawing.replace(colour, variable)
    label = f'<svg role="img" aria-label="{Markup.escape(name)}" '
    return Markup(drawing.replace("<svg ", label, 1))
