"""What a slide's numbers say and don't say, in the words of the terminal and of the report."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hemozoin.metrics.bootstrap import Estimate
from hemozoin.smear.counting.slide import Slide

#: Parasites per µL for which it is told how often so few cells hold any: a low infection.
LOW_DENSITY = 200

DISCLAIMER = "For research only; not a medical device. No diagnosis rests on this count."


def percent(share: float) -> str:
    """Return a share as a percentage with two digits that count, without the sign."""
    places = 2 if share < 0.1 else 3
    return _plain(100 * share, places)


def two_digits(value: float) -> str:
    """Return a large number with two digits that count: 61,728 is 62,000."""
    whole = int(float(f"{value:.1e}")) if value >= 100 else value
    return f"{whole:,}" if value >= 100 else _plain(value, 2)


def _plain(value: float, digits: int) -> str:
    return np.format_float_positional(value, precision=digits, fractional=False, trim="-")


def with_noun(count: int, what: str) -> str:
    """Return a number with its noun: 1 field, 2 fields."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def interval(estimate: Estimate) -> str:
    """Return both ends of an interval in %."""
    return f"{percent(estimate.low)} to {percent(estimate.high)}"


def headline(slide: Slide) -> str:
    """Return the verdict and what it rests on in a line."""
    return f"{slide.verdict.capitalize()}: {finding(slide)}"


def finding(slide: Slide) -> str:
    """Return the figure behind the verdict, or why there is none."""
    if slide.parasitaemia is None:
        return str(slide.why)
    share = slide.parasitaemia.best
    if slide.verdict == "not compensated":
        return (
            f"{percent(share.value)} % of red cells called infected; how many of them are healthy"
            " isn't known for this model"
        )
    found = f"{percent(share.value)} % ({interval(share)})"
    if slide.verdict == "reportable":
        return f"{found}, {two_digits(slide.per_ul(share.value))} parasites/µL"
    return f"{found}, up to {two_digits(slide.per_ul(share.high))} parasites/µL"


def cells_counted(slide: Slide) -> str:
    """Return how many cells there were, and of what decision."""
    return (
        f"{with_noun(slide.red_cells, 'red cell')} in {with_noun(slide.fields, 'field')}:"
        f" {slide.infected:,} called infected, {slide.review:,} for review"
    )


def fields_left_out(slide: Slide) -> str | None:
    """Return how many fields were not counted, and why; None where all were."""
    flaws = [f"{what} {count:,}" for what, count in slide.flaws.items()]
    if slide.fields_unreadable:
        flaws.append(f"unreadable {slide.fields_unreadable:,}")
    left = slide.fields_flawed + slide.fields_unreadable
    return f"{with_noun(left, 'field')} left out: {', '.join(flaws)}" if left else None


def arithmetic(slide: Slide) -> Iterator[tuple[str, str]]:
    """Yield the count step by step, what and how, as it can be done again by hand."""
    found, rate = slide.parasitaemia, slide.false_positive_rate
    if found is None:
        return
    yield "Called infected", f"{slide.infected:,} of {slide.red_cells:,} = {_share(found.raw)}"
    if rate is None:
        return
    infected = found.best.value * slide.red_cells
    healthy = slide.red_cells - infected
    expected = f"{slide.expected_false_positives:,.1f}"
    yield (
        "Expected false positives",
        f"{percent(rate.rate)} % of the {healthy:,.1f} cells not infected = {expected}",
    )
    if infected:
        yield "Infected", f"{slide.infected:,} - {expected} = {infected:,.1f}"
    else:
        yield "Infected", f"{slide.infected:,} are no more than {expected}: 0"
    yield "Parasitaemia", f"{infected:,.1f} / {slide.red_cells:,} = {_share(found.best)}"
    yield "Per µL", _per_ul(slide, found.best)


def _per_ul(slide: Slide, share: Estimate) -> str:
    value, low, high = (
        two_digits(slide.per_ul(one)) for one in (share.value, share.low, share.high)
    )
    return (
        f"{percent(share.value)} % × {slide.blood.red_cells:,.0f} red cells/µL"
        f" ({slide.blood.source}) = {value} parasites/µL ({low} to {high}),"
        " one to an infected cell"
    )


def _share(estimate: Estimate) -> str:
    return f"{percent(estimate.value)} % ({interval(estimate)})"


def chance_of_one(slide: Slide) -> float:
    """Return how likely so many cells hold an infected one at LOW_DENSITY: 1 - (1 - d/R)^n."""
    free = 1 - LOW_DENSITY / slide.blood.red_cells
    return float(1 - free**slide.red_cells)


def what_it_shows(slide: Slide) -> Iterator[str]:
    """Yield what the count can show and what it can't, a sentence each."""
    found = slide.parasitaemia
    yield (
        f"{with_noun(slide.red_cells, 'red cell')} were counted; WHO asks for many thousands."
        f" At {LOW_DENSITY} parasites/µL so many cells contain an infected one in"
        f" {percent(chance_of_one(slide))} % of slides."
    )
    if found and found.compensated:
        yield _limit(slide)
        yield (
            "The rate of false positives is that of the patients on whom the network was judged;"
            " another stain or microscope may have another."
        )
    if found and found.contradicts:
        yield (
            "So few cells are called infected that this rate doesn't fit the slide: the upper end"
            " of the interval doesn't rest on it."
        )
    if slide.if_review_infected is not None and slide.review:
        yield (
            f"Cells for review count as red cells, not as infected ones; if all {slide.review:,}"
            f" were infected: {percent(slide.if_review_infected)} %."
        )
    yield (
        "Infected cells that the network takes for healthy are not made up for. Clumps and cells"
        " cut by the edge are not counted."
    )


def _limit(slide: Slide) -> str:
    if slide.parasitaemia is None or slide.least is None:
        return "No number of infected cells among so few would be reported."
    return (
        f"With so many cells {slide.parasitaemia.reportable:,} have to be called infected to be"
        f" reported, a parasitaemia of {percent(slide.least)} %"
        f" ({two_digits(slide.per_ul(slide.least))} parasites/µL): fewer are seen in more than 1 of"
        " 40 uninfected patients."
    )


def summarize(slide: Slide) -> str:
    """Return what the terminal shows of a slide."""
    left = fields_left_out(slide)
    return "\n".join(
        [
            f"{slide.slide}: {headline(slide)}",
            f"  {cells_counted(slide)}",
            *([f"  {left}"] if left else []),
            *(f"  {what}: {how}" for what, how in arithmetic(slide)),
            *(f"  {sentence}" for sentence in what_it_shows(slide)),
            f"  {DISCLAIMER}",
        ]
    )
