"""`hemozoin audit`: draw cells of a slide for a person to look at."""

from __future__ import annotations

from pathlib import Path

from hemozoin.cli.options import WholeNumber


def audit(
    slide: Path,
    /,
    *,
    out: Path,
    cells: WholeNumber = 150,
    seed: WholeNumber = 0,
) -> None:
    """Draw cells of a screened slide at random for a person, more of those that may be infected.

    Fill in the column `answer` of the worklist with parasitized, uninfected, not a red cell or
    can't tell, then run hemozoin recount. A page beside the worklist shows the cells. Cells that
    have an answer already are not drawn again: a second worklist extends the first.

    Parameters
    ----------
    slide
        A slide's folder, as hemozoin screen writes it.
    out
        The worklist, a new file that ends in .csv.
    cells
        Number of cells to look at, 1 to 100,000.
    seed
        Seed of the draw, from 0. All worklists of a slide need the same one.
    """
    from hemozoin.errors import DataError, require_whole_number
    from hemozoin.progress import print_status
    from hemozoin.reports.page import write_page
    from hemozoin.review.agreement import reviewed_cells
    from hemozoin.review.found_cells import read_found_cells
    from hemozoin.review.reviews import read_reviews
    from hemozoin.review.worklist import draw_worklist
    from hemozoin.review.worklist_csv import require_new_worklist, write_worklist
    from hemozoin.review.worklist_page import render_worklist_page

    require_whole_number("--cells", cells, 1, 100_000)
    require_whole_number("--seed", seed, 0, 2**63 - 1)
    found = read_found_cells(slide)
    reviewed, _ = reviewed_cells(found, read_reviews(slide))
    rows = draw_worklist(found, cells, seed, reviewed)
    require_new_worklist(rows, out)
    try:
        write_page(render_worklist_page(rows, slide, out.name), out.with_suffix(".html"))
    except DataError as error:
        print_status(f"no page with the cells: {error}")
    write_worklist(rows, out)
    strata = [row.stratum for row in rows]
    parts = [f"{strata.count(name):,} {name}" for name in ("called", "close", "clump", "sure")]
    print(f"{len(rows):,} of {len(found):,} red cells and clumps to look at: {', '.join(parts)}")
    if out.with_suffix(".html").is_file():
        print(f"The cells: {out.with_suffix('.html')}")
    print(f"Fill in the answers in {out}, then: hemozoin recount {slide} --reviews {out}")
