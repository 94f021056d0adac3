"""What lava-dl 0.6.0 needs under Python 3.11 and later, for the programs beside this file."""

import contextlib
import dataclasses
import functools
import sys
import types


@contextlib.contextmanager
def hashable_dataclasses():
    """Python 3.11 refuses unhashable defaults in dataclasses; those of lava get a hash."""
    original = dataclasses.dataclass

    def dataclass(cls=None, /, **options):
        if cls is None:
            return functools.partial(dataclass, **options)
        if cls.__module__.startswith("lava.") and not {"eq", "frozen"} & options.keys() and "__hash__" not in cls.__dict__:
            options.setdefault("unsafe_hash", True)
        return original(cls, **options)

    dataclasses.dataclass = dataclass
    try:
        yield
    finally:
        dataclasses.dataclass = original


class Absent(types.ModuleType):
    """Stands for a package that lava-dl imports for vision, and netx never uses."""

    __path__ = ()

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


for absent in ("cv2", "torchvision", "torchvision.transforms", "torchvision.transforms.functional", "torchvision.ops",
               "torchvision.models", "torchvision.datasets"):  # fmt: skip
    sys.modules[absent] = Absent(absent)
