"""What lets timm be imported where torchvision can't be.

sys.meta_path.insert(0, NoTorchvision)
"""

from __future__ import annotations

from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class NoTorchvision(ModuleType):
    """Stands in for torchvision, which timm imports for its data sets and transforms.

    PyPI's torchvision doesn't import beside the CPU build of torch that we are tested with, and
    MobileNet needs nothing of it. Every name in it is an empty class, but for one that timm looks
    into and does without where it is missing.
    """

    __path__: list[str] = []  # noqa: RUF012 - so that Python looks for submodules

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "InterpolationMode":
            raise AttributeError(name)
        return type(name, (), {})

    @classmethod
    def find_spec(cls, name: str, *_: object) -> ModuleSpec | None:
        ours = f"{name}.".startswith("torchvision.")
        return ModuleSpec(name, cls) if ours else None  # type: ignore[arg-type]

    @classmethod
    def create_module(cls, spec: ModuleSpec) -> ModuleType:
        return cls(spec.name)

    @classmethod
    def exec_module(cls, module: ModuleType) -> None:
        """Leave the module empty."""
