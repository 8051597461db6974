"""The sentences about a slide's result that the terminal and the report show."""

from __future__ import annotations

from collections.abc import Iterator

from hemozoin.about import DISCLAIMER
from hemozoin.decision.patient_rate import PatientRate
from hemozoin.metrics.bootstrap import Estimate
from hemozoin.smear.counting.guidelines import TOO_FEW
from hemozoin.smear.counting.slide import Slide, Verdict
from hemozoin.smear.output.numbers import interval, percent, two_digits, with_noun
from hemozoin.smear.output.record_wording import guideline_sentence, manual_line
from hemozoin.smear.output.review_wording import review_facts, review_limitations

#: A low infection, in parasites per µL: how often is it visible in this number of red cells?
LOW_DENSITY = 200

_NOTES: dict[Verdict, str] = {
    "below the reportable limit": (
        "This is not a negative result. More than 1 of 40 uninfected patients have this many cells"
        " that look infected, so an infection up to the upper end of the interval can't be"
        " distinguished from no infection."
    ),
    "needs confirmation": (
        "The network's false-positive rate and sensitivity were measured on slides that look"
        " different. So the number of cells called infected can't be converted to parasites: a"
        " person has to look at these cells, and at others."
    ),
    "not compensated": (
        "The model folder has no false-positive rate: the network was trained on too few patients,"
        " or by an older version. So infected cells can't be distinguished from false alarms, and"
        " there is no verdict."
    ),
    "not reported": (
        "This is not a negative result. Take better pictures, or examine the slide yourself."
    ),
}

_FEW = (
    "Without one or two of the cells that are counted as infected, the slide would be below the"
    " reportable limit. Screen more fields of it, or let a person look at these cells, and at"
    " others."
)

_HINT = (
    "Until then, take the unconfirmed share for no more than a hint: it may be wrong by a factor of"
    " two."
)

NO_DIAGNOSIS = "Do not base a diagnosis on this count."


def unbroken(text: str) -> str:
    """Return a text in which no line ends between a number and % or inside parasites/µL."""
    return text.replace(" %", "\N{NO-BREAK SPACE}%").replace("/µ", "/\N{WORD JOINER}µ")


def headline(slide: Slide) -> str:
    """Return the verdict and the result in one line."""
    return f"{slide.verdict.capitalize()}: {result(slide)}"


def result(slide: Slide) -> str:
    """Return the parasitaemia with its interval, or why there is none."""
    if slide.called is None:
        return str(slide.reason)
    share = slide.estimate
    called = f"{percent(slide.called.value)} % of red cells called infected"
    if share is None and slide.reason is not None:
        return "; ".join([*_unconfirmed(slide), called, slide.reason])
    if share is None:
        return f"{called}; the number of false positives among them is not known for this model"
    estimate = _percent_with_interval(share)
    if share.low > 0:
        return f"{estimate}, {parasites_per_ul(slide, share.value)}"
    return f"{estimate}, at most {parasites_per_ul(slide, share.high)}"


def _unconfirmed(slide: Slide) -> Iterator[str]:
    """Yield what the share of infected cells may be; nothing where that is not known."""
    if slide.unconfirmed is not None:
        yield f"about {percent(slide.unconfirmed)} % infected, unconfirmed"


def note(slide: Slide) -> str | None:
    """Return what the reader has to know about the verdict; None for a slide that is reported."""
    text = _FEW if slide.reason == TOO_FEW else _NOTES.get(slide.verdict)
    is_hint = slide.verdict == "needs confirmation" and slide.unconfirmed is not None
    return f"{text} {_HINT}" if is_hint else text


def parasites_per_ul(slide: Slide, share: float) -> str:
    """Return parasites per µL, and that this takes one parasite for each infected cell."""
    return f"{two_digits(slide.per_ul(share))} parasites/µL with one parasite per infected cell"


def cells_counted(slide: Slide) -> str:
    """Return the number of cells, in total and by decision."""
    return (
        f"{with_noun(slide.red_cells, 'red cell')} in {with_noun(slide.fields, 'field')}:"
        f" {slide.infected:,} called infected, {slide.review:,} for review"
    )


def fields_not_counted(slide: Slide) -> str | None:
    """Return the number of fields that were not counted, and why; None if all were."""
    reasons = [f"{flaw} {count:,}" for flaw, count in slide.flaws.items()]
    if slide.fields_unreadable:
        reasons.append(f"unreadable {slide.fields_unreadable:,}")
    if slide.fields_repeated:
        reasons.append(f"the same picture as another {slide.fields_repeated:,}")
    failed = slide.fields_flawed + slide.fields_unreadable + slide.fields_repeated
    return f"{with_noun(failed, 'field')} not counted: {', '.join(reasons)}" if failed else None


def calculation(slide: Slide) -> Iterator[tuple[str, str]]:
    """Yield each step of the calculation with its name, so that a reader can check it."""
    if slide.settled:
        yield from review_facts(slide.settled)
        yield "Parasitaemia", _percent_with_interval(slide.settled.parasitaemia)
        yield "Per µL", _per_ul(slide, slide.settled.parasitaemia)
    else:
        yield from _calculation_of_machine(slide)


def _calculation_of_machine(slide: Slide) -> Iterator[tuple[str, str]]:
    found, point = slide.parasitaemia, slide.counting_point
    if slide.called is None:
        return
    called = f"{slide.infected:,} of {slide.red_cells:,}"
    yield "Called infected", f"{called} = {_percent_with_interval(slide.called)}"
    if slide.unconfirmed is not None and point is not None:
        yield (
            "Unconfirmed",
            f"about {percent(slide.unconfirmed)} %: {slide.counted:,} of these, with p of at least"
            f" {point.threshold:.3f}, corrected by the mistakes to expect on a slide like this",
        )
    if found is None or point is None:
        return
    if point.threshold is not None:
        yield "Counted", f"{found.counted:,} of these, with p of at least {point.threshold:.3f}"
    infected = found.estimate.value * slide.red_cells
    uninfected = slide.red_cells - infected
    expected = f"{slide.expected_false_positives:,.1f}"
    yield (
        "Expected false positives",
        f"{percent(point.false_positives.rate)} % of the {uninfected:,.1f} uninfected cells ="
        f" {expected}",
    )
    yield "Infected", _infected(found.counted, expected, infected, point.sensitivity)
    share = _percent_with_interval(found.estimate)
    yield "Parasitaemia", f"{infected:,.1f} / {slide.red_cells:,} = {share}"
    yield "Per µL", _per_ul(slide, found.estimate)


def _infected(counted: int, expected: str, infected: float, sensitivity: PatientRate | None) -> str:
    if not infected:
        return f"0, because {counted:,} is not more than {expected}"
    difference = f"{counted:,} - {expected}"
    if sensitivity is None:
        return f"{difference} = {infected:,.1f}"
    share = percent(sensitivity.rate)
    return f"({difference}) / {share} %, the share of infected cells counted = {infected:,.1f}"


def _per_ul(slide: Slide, share: Estimate) -> str:
    value, low, high = (
        two_digits(slide.per_ul(one)) for one in (share.value, share.low, share.high)
    )
    return (
        f"{percent(share.value)} % × {slide.blood.red_cells_per_ul:,.0f} red cells/µL"
        f" ({slide.blood.source}) = {value} parasites/µL ({low} to {high}),"
        " with one parasite per infected cell"
    )


def _percent_with_interval(estimate: Estimate) -> str:
    return f"{percent(estimate.value)} % ({interval(estimate)})"


def chance_of_infected_cell(slide: Slide) -> float:
    """Return the probability of at least one infected cell at LOW_DENSITY: 1 - (1 - d/R)^n."""
    uninfected = 1 - LOW_DENSITY / slide.blood.red_cells_per_ul
    return float(1 - uninfected**slide.red_cells)


def limitations(slide: Slide) -> Iterator[str]:
    """Yield sentences about what the count can show and what it can't show."""
    yield guideline_sentence(slide)
    yield (
        f"At {LOW_DENSITY} parasites/µL, this number of red cells contains an infected one in"
        f" {percent(chance_of_infected_cell(slide))} % of slides."
    )
    if slide.reviewed:
        yield from review_limitations(slide.reviewed)
    if not slide.settled:
        yield from _limitations_of_machine(slide)
    if slide.settled and slide.settled.basis == "drawn":
        yield (
            "A clump counts as the red cells that have its area, and as one infected cell where a"
            " person sees a parasite in it. Cells cut by the edge are not counted."
        )
    else:
        yield "Clumps and cells cut by the edge are not counted."


def _limitations_of_machine(slide: Slide) -> Iterator[str]:
    found = slide.parasitaemia
    if found and slide.chance_within_25_percent is not None:
        yield (
            f"If {percent(found.estimate.value)} % are infected,"
            f" {percent(slide.chance_within_25_percent)} % of such counts are within 25 % of the"
            " truth, which WHO calls right. This takes in chance and how patients differ, not"
            " another stain or microscope."
        )
    if found:
        yield _reportable_limit(slide)
        yield (
            "How often the network is wrong was measured on the patients on whom it was tested. It"
            " may differ with another stain or microscope."
        )
    if found and found.fewer_than_expected:
        yield (
            "Fewer cells are counted than this false-positive rate predicts, so the upper"
            " end of the interval does not depend on it."
        )
    if slide.if_review_infected is not None and slide.review:
        yield (
            "Cells for review count as red cells, not as infected cells. If all"
            f" {slide.review:,} were infected, the parasitaemia would be"
            f" {percent(slide.if_review_infected)} %."
        )
    if slide.unconfirmed is None:  # it is corrected, unlike the number of cells called infected
        yield _on_missed_cells(slide)


def _on_missed_cells(slide: Slide) -> str:
    point = slide.counting_point
    if slide.parasitaemia is None or point is None or point.sensitivity is None:
        return "The count is not corrected for infected cells that the network misses."
    return (
        "The parasitaemia is corrected for infected cells that are not counted, by the share"
        " of them in other patients."
    )


def _reportable_limit(slide: Slide) -> str:
    found, limit = slide.parasitaemia, slide.reportable_parasitaemia
    if found is None or limit is None:
        return "With so few red cells, no number of infected cells would be reported."
    return (
        f"Of so many red cells, fewer than {found.reportable_count:,} counted as infected can"
        " all be false positives: more than 1 of 40 uninfected patients have as many. From"
        f" {found.reportable_count:,} on, the slide is reported, with a parasitaemia of"
        f" {percent(limit)} % ({parasites_per_ul(slide, limit)}) or more."
        f"{_limit_of_detection(slide)}"
    )


def _limit_of_detection(slide: Slide) -> str:
    limit = slide.parasitaemia.limit_of_detection if slide.parasitaemia else None
    if limit is None:
        return ""
    return (
        f" The limit of detection is {percent(limit)} %"
        f" ({parasites_per_ul(slide, limit)}): 19 of 20 slides with as many are"
        " reported."
    )


def summarize(slide: Slide) -> str:
    """Return what the terminal shows about a slide."""
    not_counted, manual = fields_not_counted(slide), manual_line(slide)
    return "\n".join(
        [
            f"{slide.slide}: {headline(slide)}",
            f"  {cells_counted(slide)}",
            *([f"  {not_counted}"] if not_counted else []),
            *([f"  {manual}"] if manual else []),
            *(f"  {step}: {numbers}" for step, numbers in calculation(slide)),
            *(f"  {sentence}" for sentence in limitations(slide)),
            f"  {DISCLAIMER} {NO_DIAGNOSIS}",
        ]
    )
