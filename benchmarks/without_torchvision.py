"""A stand-in for torchvision, so that timm can be imported where torchvision can't be.

sys.meta_path.insert(0, NoTorchvision)
"""

from __future__ import annotations

from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class NoTorchvision(ModuleType):
    """An empty torchvision. timm imports the real one for its data sets and transforms.

    PyPI's torchvision can't be imported together with the CPU build of torch that we test with,
    and MobileNet doesn't need it. Every name in it is an empty class, except for one that timm
    looks into, and can do without.
    """

    __path__: list[str] = []  # noqa: RUF012 - so that Python looks for submodules

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "InterpolationMode":
            raise AttributeError(name)
        return type(name, (), {})

    @classmethod
    def find_spec(cls, name: str, *_: object) -> ModuleSpec | None:
        is_torchvision = f"{name}.".startswith("torchvision.")
        return ModuleSpec(name, cls) if is_torchvision else None  # type: ignore[arg-type]

    @classmethod
    def create_module(cls, spec: ModuleSpec) -> ModuleType:
        return cls(spec.name)

    @classmethod
    def exec_module(cls, module: ModuleType) -> None:
        """Leave the module empty."""
