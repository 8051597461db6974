from __future__ import annotations

import re
from importlib import resources

from hemozoin.reports import style
from hemozoin.reports.style import CSS_VARIABLES, LIGHT_COLOURS

BASE = resources.files("hemozoin").joinpath("reports/base.css").read_text("utf-8")


def variables(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): ([^;]+);", block))


def test_light_colours_are_those_of_the_pages() -> None:
    light = variables(BASE.partition("@media")[0])
    assert {name: light[name] for name in LIGHT_COLOURS} == LIGHT_COLOURS


def test_every_colour_of_a_plot_is_a_variable_of_the_pages() -> None:
    light = variables(BASE.partition("@media")[0])
    assert {f"var(--{name})" for name in light} >= set(CSS_VARIABLES.values())
    assert len(set(CSS_VARIABLES.values())) == len(CSS_VARIABLES)


def test_each_name_is_that_of_its_colour() -> None:
    assert {name: getattr(style, name.upper()) for name in LIGHT_COLOURS} == LIGHT_COLOURS


def test_every_colour_has_a_value_for_dark_mode() -> None:
    light, dark = BASE.partition("@media")[0], BASE.split(":root")[2].partition("}")[0]
    fixed = {name for name, value in variables(light).items() if value.startswith("#")}
    assert set(variables(dark)) == fixed
