"""The chapters as one HTML page that needs nothing but itself."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from hemozoin.errors import RunError
from hemozoin.explaining.chapters import Chapters
from hemozoin.explaining.depthwise import by
from hemozoin.explaining.network import memory
from hemozoin.explaining.spatial import number
from hemozoin.explaining.tables import SOURCE, counted
from hemozoin.files import replace_file


def write_page(chapters: Chapters, path: Path) -> None:
    """Write the page, whole or not at all; raises RunError where it can't be written."""
    page = render_page(chapters)
    try:
        path.absolute().parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, page)
    except OSError as error:
        raise RunError(f"{path}: can't be written ({error.strerror or error})") from error


def render_page(chapters: Chapters) -> str:
    """Return the page as HTML."""
    environment = Environment(
        loader=PackageLoader("hemozoin", "explaining"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(count="{:,}".format, number=number, memory=memory, counted=counted)
    return environment.get_template("page.html").render(
        chapters=chapters,
        kernels=[_kernel(kernel) for kernel in chapters.kernels],
        depthwise=chapters.depthwise and _depthwise(chapters),
        network=chapters.network and _network(chapters.network),
        source=SOURCE,
        by=by,
    )
