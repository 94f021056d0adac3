"""Import from `snntorch`: a torch module with snnTorch's neurons, made by a function in a Python file, which is executed."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from snnc.base.factory import Factory
from snnc.errors import UsageError
from snnc.importers._settings import ImportConfig, Imported, Part
from snnc.training.settings import must_have_torch

SUMMARY = "a torch module with snnTorch neurons: FILE.py:FACTORY and a file of weights (safetensors, or .pt)"
SUFFIXES = (".py",)
READING = "reading a torch module"
OPTIONS = ("weights", "input_shape", "time_axis", "dt_s", "message_bits", "trust", "writer")


def read(source: str, config: ImportConfig) -> Imported:
    """The float network that spikes as the module does, spike for spike. The file is the user's own and is executed."""
    factory = Factory.parse(source)
    if factory is None:
        raise UsageError("is no FILE.py:FACTORY", where=source, fix="name the function that makes the module")
    must_have_torch(READING)
    from snnc.training.user_module import make

    module: Any = make(factory, 0, config.weights)
    if hasattr(module, "to_network"):
        if config.encoding:
            raise UsageError("says its encoding itself, in to_network", where=source, fix="leave out --encoding")
        return Imported(module.eval().to_network(factory.name), (Part(factory.name, type(module).__name__, "its own network"),))
    imported = read_module(module, config, factory.name)
    if config.weights is None or config.writer:
        return imported
    return replace(imported, notes=(*imported.notes, *_who_trained(module, config.weights)))


def _who_trained(module: Any, weights: Path) -> Iterator[str]:
    """Yield a note if the weights may be those of a version of snnTorch whose neurons follow other rules.

    Raises UsageError if they are.
    """
    from snnc.training.from_snntorch.earlier import WRITER, saved_by
    from snnc.training.from_snntorch.neurons import stepped_otherwise
    from snnc.training.from_snntorch.values import is_neuron, layers
    from snnc.training.weights_file import weights_for

    other = [name for name, layer in layers(module) if is_neuron(layer) and stepped_otherwise(layer)]
    if not other:
        return
    version = saved_by(weights_for(module, weights), module)
    if version == "0.8":
        return
    listed = ", ".join(other[:3]) + (f" and {len(other) - 3} more" if len(other) > 3 else "")
    if version:
        what = f"was saved by snnTorch {version} or earlier, where {listed} followed other rules"
        raise UsageError(what, where=str(weights), fix=f"add --writer {WRITER}")
    yield (
        f"snnTorch 0.6 and 0.7 step {listed} otherwise than 1.0, and weights do not say what trained them; if it was one of"
        f" those, add --writer {WRITER}"
    )


def read_module(module: Any, config: ImportConfig, name: str = "imported") -> Imported:
    """Return the float network that spikes as a torch module does, spike for spike.

    Raises UnsupportedError with everything that cannot be mapped, ConfigError if the module fails on the input that ``config``
    says.
    """
    must_have_torch(READING)
    from snnc.training.from_snntorch.convert import convert
    from snnc.training.models.weights import must_be_module

    must_be_module(module, "pass the path of a file, FILE.py:FACTORY, or a torch.nn.Module")
    if config.writer == "spyx":
        raise UsageError("Spyx's modules are JAX; it writes NIR files", where="--writer spyx", fix="import such a file")
    if config.message_bits and config.encoding not in (None, "events"):
        raise UsageError("the encoding says the size of messages itself", where="--message-bits", fix="leave out one of the two")
    converted = convert(
        module,
        input_shape=config.shape,
        time_axis=config.time_axis,
        dt_s=config.dt_s,
        steps=config.steps,
        message_bits=config.message_bits,
        pixels=config.encoding == "constant",
        trust=config.trust,
        writer=config.writer,
        name=name,
    )
    parts = tuple(Part(*layer) for layer in converted.parts)
    notes = (*converted.notes, *_encoded_otherwise(config, converted.inner))
    return Imported(converted.network, parts, notes, {"factory": name})


def _encoded_otherwise(config: ImportConfig, inner: int | None) -> Iterator[str]:
    """Yield a note if the encoding makes another input than a module that repeats a frame in ``inner`` steps of its own."""
    if config.encoding is None or inner is None:
        return
    if config.encoding != "constant":
        yield (
            f"the module takes one frame in all of its {inner} steps, as --encoding constant does; with {config.encoding!r} the"
            " input of the network differs from step to step"
        )
    if config.steps != inner:
        yield f"the module makes {inner} steps of a frame, the encoding {config.steps}; with -T {inner} they are as many"
