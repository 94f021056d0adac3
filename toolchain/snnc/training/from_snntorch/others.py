"""Modules of other libraries than snnTorch, which are not converted, and the way that each has to snnc."""

from collections.abc import Iterator

from torch import nn

from snnc.errors import UnsupportedError
from snnc.training.from_snntorch.values import is_neuron, is_of

_NIR = "write it as NIR with {} and nir.write, and import that file with the --dt that docs/import.md names"
WAYS = {
    "norse": _NIR.format("norse.torch.to_nir"),
    "sinabs": _NIR.format("sinabs.nir.to_nir"),
    "spikingjelly": _NIR.format("spikingjelly.activation_based.nir_exchange.export_to_nir (of 2.0)"),
    "lava": "write it with export_hdf5, and import the .net file",
    "rockpool": "train it here, with snnc train --neuron xylo",
}
SHOWN = 3  # classes that a message names


def must_not_be_others(module: nn.Module, name: str) -> None:
    """Raise UnsupportedError for a module without snnTorch's neurons that is made of another library's parts.

    It comes first: such parts may return what torch's do not, and some lack methods of torch's modules.
    """
    parts = list(_parts(module))
    if any(map(is_neuron, parts)):
        return
    for library, way in WAYS.items():
        if kinds := sorted({type(part).__name__ for part in parts if is_of(type(part), library)}):
            more = f" and {len(kinds) - SHOWN} more" if len(kinds) > SHOWN else ""
            what = f"is made of {library}'s {', '.join(kinds[:SHOWN])}{more}, and only modules of snnTorch's neurons are read"
            raise UnsupportedError(what, where=name, fix=way)


def beside_snntorch(module: nn.Module, name: str = "") -> Iterator[str]:
    """Yield which parts of other libraries, that are no layers of torch's either, stand beside snnTorch's neurons."""
    if is_neuron(module):
        return
    kind = type(module)
    library = next((library for library in WAYS if is_of(kind, library)), None)
    if library and not any(is_of(base, "torch.nn") for base in kind.__mro__ if base is not nn.Module):
        yield f"{name} is {library}'s {kind.__name__}, and only snnTorch's neurons are read; take those for all"
        return
    for child, part in module.named_children():
        yield from beside_snntorch(part, f"{name}.{child}" if name else child)


def _parts(module: nn.Module) -> Iterator[nn.Module]:
    """Yield a module and all inside; rockpool's ``modules()`` does not."""
    yield module
    for _, child in module.named_children():
        yield from _parts(child)
