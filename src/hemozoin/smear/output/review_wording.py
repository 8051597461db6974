"""The sentences about reviews: what people answered, and what the count with them can show."""

from __future__ import annotations

from collections.abc import Iterator

from hemozoin.smear.counting.reviewed_count import Agreement, ReviewedCount
from hemozoin.smear.output.numbers import percent, with_noun

#: Most undecided cells that are named in a report; slide.json has all.
_NAMED = 10


def review_facts(count: ReviewedCount) -> Iterator[tuple[str, str]]:
    """Yield what people answered, each fact with its name."""
    yield (
        "Reviewed by a person",
        f"{with_noun(count.answered, 'cell')}: {count.parasitized:,} parasitized,"
        f" {count.uninfected:,} uninfected, {count.not_red_cells:,} not a red cell,"
        f" {count.cannot_tell:,} can't tell",
    )
    yield "Called infected", f"{count.called_answered:,} of {count.called:,} reviewed"
    yield "For review", f"{count.close_answered:,} of {count.close:,} reviewed"
    for one in count.agreements:
        yield f"{one.readers[0]} and {one.readers[1]}", _agreement(one)
    how = (
        "each answer stands for the cells that were not drawn"
        if count.basis == "drawn"
        else ("as the answers say")
    )
    yield "Infected", f"{count.infected:,.1f} of {count.red_cells:,.0f} red cells, {how}"


def _agreement(one: Agreement) -> str:
    kappa = "not defined" if one.kappa is None else f"{one.kappa:.2f}"
    return f"the same answer for {one.same:,} of {with_noun(one.cells, 'cell')}; Cohen's κ {kappa}"


def review_limitations(count: ReviewedCount) -> Iterator[str]:
    """Yield sentences about what the count with a person can show and what it can't show."""
    if count.basis == "drawn":
        yield (
            "The cells were drawn at random with known chances, so the count does not depend on how"
            " often the network is wrong on this microscope, and its interval says how far the"
            " cells that nobody looked at can change it."
        )
    elif count.is_confirmed:
        yield (
            "A person has looked at every cell that the network called infected or left for review."
            " Infected cells that the network took for uninfected are not counted; the upper end of"
            " the interval allows for them."
        )
    else:
        yield (
            f"A person has looked at {count.called_answered:,} of {count.called:,} cells called"
            f" infected and {count.close_answered:,} of {count.close:,} for review. This is not"
            " enough for a count with a person: look at all of them, or draw cells with hemozoin"
            " audit."
        )
    if count.limit_of_detection is not None:
        yield (
            f"With {percent(count.limit_of_detection)} % infected cells, 95 % of such slides would"
            " show at least one of them to the person."
        )
    yield from _single_cells(count)


def _single_cells(count: ReviewedCount) -> Iterator[str]:
    """Yield sentences about cells that were missed, are elsewhere, or that nobody can tell."""
    if count.missed:
        yield (
            f"{with_noun(count.missed, 'cell')} that no red cell was found for, drawn by a person,"
            f" {count.missed_parasitized:,} of them parasitized: part of the count, each as itself."
            " Cells that were missed in fields where nobody looked for them are not in it."
        )
    if count.elsewhere:
        yield (
            f"{with_noun(count.elsewhere, 'review')} in fields that are not counted: not part of"
            " the count."
        )
    if count.undecided:
        shown = "; ".join(map(str, count.undecided[:_NAMED]))
        more = len(count.undecided) - _NAMED
        yield (
            "Readers differ, and no answer has the most: "
            + shown
            + (f"; and {more:,} more, in slide.json." if more > 0 else ".")
        )
    if count.cannot_tell:
        yield (
            f"{with_noun(count.cannot_tell, 'cell')} that nobody can tell, or on which readers"
            " differ: the lower end of the interval takes them for uninfected, the upper end for"
            " infected."
        )
