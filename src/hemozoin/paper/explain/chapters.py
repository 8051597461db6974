"""The chapters of an explanation: all four, or one of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType

from hemozoin.paper.explain.depthwise import DepthwiseExplanation, explain_depthwise
from hemozoin.paper.explain.network import NetworkExplanation, explain_network
from hemozoin.paper.explain.spatial import EXAMPLE_KERNEL, NAMED, KernelExplanation, explain_kernel
from hemozoin.paper.explain.tables import tables_text
from hemozoin.paper.tables import Table, paper_tables


@dataclass(frozen=True)
class Chapters:
    """The chapters of an explanation. Empty ones are not shown."""

    kernels: tuple[KernelExplanation, ...] = ()
    depthwise: DepthwiseExplanation | None = None
    network: NetworkExplanation | None = None
    tables: tuple[Table, ...] = ()

    def text(self) -> RenderableType:
        """Return the chapters for a terminal, an empty line between them."""
        parts = [kernel.text() for kernel in self.kernels]
        parts += [part.text() for part in (self.depthwise, self.network) if part]
        parts += [tables_text(self.tables)] if self.tables else []
        return Group(*(line for part in parts for line in (part, "")))

    def to_dict(self) -> dict[str, Any]:
        """Return the chapters as plain values, ready for JSON."""
        return {
            "separable": [kernel.to_dict() for kernel in self.kernels],
            "depthwise": self.depthwise and self.depthwise.to_dict(),
            "network": self.network and self.network.to_dict(),
            "tables": [table.to_dict() for table in self.tables],
        }


def all_chapters() -> Chapters:
    """Return all chapters, with their default examples."""
    kernels = tuple(explain_kernel(kernel) for kernel in (EXAMPLE_KERNEL, *NAMED))
    return Chapters(kernels, explain_depthwise(), explain_network(), paper_tables())
