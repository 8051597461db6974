"""Fill the template of an HTML page, and write it. A page is one file that loads nothing."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from hemozoin.about import DISCLAIMER, VERSION
from hemozoin.errors import RunError
from hemozoin.files import remove_leftovers, replace_file


def render(template: str, filters: Mapping[str, Any], **values: Any) -> str:
    """Return a filled template; `template` is its path below the package.

    Values are escaped, unless they are markup. All pages have `version` and `disclaimer`.
    """
    environment = Environment(
        loader=PackageLoader("hemozoin", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(filters)
    environment.globals.update(version=VERSION, disclaimer=DISCLAIMER)
    return environment.get_template(template).render(values)


def data_uri(data: bytes, kind: str = "jpeg") -> str:
    """Return the bytes of an image file ("jpeg" or "png") as a data URI."""
    return f"data:image/{kind};base64,{b64encode(data).decode()}"


def write_page(page: str, path: Path) -> None:
    """Write a page, completely or not at all; raises RunError if it can't be written."""
    try:
        path.absolute().parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(path.parent, path.name)
        replace_file(path, page)
    except OSError as error:
        raise RunError(f"{path}: can't be written ({error.strerror or error})") from error
