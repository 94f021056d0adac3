"""The torch module that a function in the user's own file makes, with the weights of a file, and the network that it is."""

import zipfile
from dataclasses import replace
from math import prod
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor, nn

from snnc.base.factory import Factory, made
from snnc.errors import ConfigError, FileError, NetworkError
from snnc.network.encoding import Encoding
from snnc.passes.encode_inputs import with_encoding
from snnc.training.from_snntorch.convert import Converted, TimeAxis, convert

SHOWN = 5  # problems of one kind that a message lists
LATER = ".graded_spikes_factor"  # which snnTorch up to 0.6 neither has nor saves; it is 1 there
WRAPPERS = ("_orig_mod.", "module.")  # what torch.compile and DataParallel put into the names of what they wrap
STATES = ("mem", "syn", "spk")
DAMAGE = (UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile)
SAVE = "save model.state_dict() with safetensors or torch.save"


def make(factory: Factory, seed: int, weights: Path | None = None) -> nn.Module:
    """Return the model that the user's own file makes, with these weights or its own. The file is executed.

    Raises FileError if the file cannot be read, has no such function, or raises anything, ConfigError if that makes no module,
    NetworkError if the weights are those of another model.
    """
    torch.manual_seed(seed)
    model = made(factory)
    if not isinstance(model, nn.Module):
        raise ConfigError(f"makes {type(model).__name__}, no torch module", where=f"{factory.path}:{factory.name}")
    if not all(isinstance(parameter, Tensor) for parameter in model.parameters()):  # as in Rockpool
        what = f"makes {type(model).__name__}, whose parameters() holds no tensors, as that of torch's modules does"
        fix = "return a plain torch module; for networks of Rockpool, train here with snnc train --neuron xylo"
        raise ConfigError(what, where=f"{factory.path}:{factory.name}", fix=fix)
    if weights:
        load_weights(model, weights)
    return model


def network_of(
    module: nn.Module,
    encoding: Encoding,
    shape: tuple[int, ...],
    time_axis: TimeAxis,
    dt_s: float,
    name: str,
    *,
    trust: bool = False,
) -> Converted:
    """Return the float network that fires as a module does, and takes samples in this encoding, with notes.

    Args:
        module: The module. It is left as it was.
        encoding: How samples enter.
        shape: Of one encoded step: (n,), (rows, columns) or (channels, rows, columns). The module may take a step in this shape,
            with one channel where there is none, or as n values.
        time_axis: What ``forward`` takes, as in `convert`.
        dt_s: Time step in seconds.
        name: Of the network, and of the module in messages.
        trust: Do not compare the network with the module.

    Raises:
        UnsupportedError: With everything that cannot be mapped, or the first difference between module and network.
        ConfigError: The module fails on such an input.
    """
    bits = encoding.message_bits if encoding.kind == "events" else 0
    planes = (1, *shape) if len(shape) == 2 else shape
    failures = []
    for tried in dict.fromkeys((planes, (prod(shape),))):
        try:
            converted = convert(
                module, input_shape=tried, time_axis=time_axis, dt_s=dt_s, message_bits=bits,
                pixels=encoding.kind == "constant", trust=trust, name=name,
            )  # fmt: skip
            return replace(converted, network=with_encoding(converted.network, encoding))
        except ConfigError as error:
            failures.append(error)
    raise ConfigError(
        failures[0].what, where=name, fix="see --time-axis: whether forward takes a step or a raster"
    ) from failures[0]


def read_weights(path: Path) -> dict[str, Tensor]:
    """Return the state dict in a file of safetensors or of ``torch.save``, by name; nothing in it is executed.

    Raises FileError if it is neither, or holds anything but tensors.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if zipfile.is_zipfile(path):
            return _saved_by_torch(path)
        return load_file(path)
    except OSError as error:
        raise FileError(f"cannot be read: {error.strerror or error}", where=str(path), fix="check the path") from error
    except SafetensorError as error:
        raise FileError(f"is no safetensors file ({error}), and no file of torch.save", where=str(path), fix=SAVE) from error


def _saved_by_torch(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a file of ``torch.save``, whose unpickler makes tensors and plain values only (weights_only)."""
    try:
        with zipfile.ZipFile(path) as archive:
            packed = [entry.filename for entry in archive.infolist() if entry.file_size > entry.compress_size]
        if packed:
            raise FileError(f"has {packed[0]!r} compressed, which torch.save does not do", where=str(path), fix=SAVE)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (
        UnpicklingError,
        RuntimeError,
        EOFError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        zipfile.BadZipFile,
    ) as error:
        what = "holds more than tensors, or is damaged: torch reads no weights from it"
        raise FileError(what, where=str(path), fix=SAVE) from error
    if _is_state_dict(state):
        return dict(state)
    inside = [key for key, value in state.items() if value and _is_state_dict(value)] if isinstance(state, dict) else []
    fix = f"save what it has under {inside[0]!r} alone, with torch.save" if inside else SAVE
    raise FileError("holds no state dict, a tensor by each name", where=str(path), fix=fix)


def _is_state_dict(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(k, str) and isinstance(v, Tensor) for k, v in value.items())


def load_weights(model: nn.Module, path: Path) -> None:
    """Load a state dict from a file into a model. Raises FileError, or NetworkError that names what does not fit."""
    given = {key: value for key, value in read_weights(path).items() if not _is_state(model, key)}
    wanted = {key: value for key, value in model.state_dict().items() if key in given or not key.endswith(LATER)}
    problems = _listed("lacks", [key for key in wanted if key not in given])
    problems += _listed("has in addition", [key for key in given if key not in wanted])
    shapes = {key: (tuple(given[key].shape), tuple(wanted[key].shape)) for key in wanted if key in given}
    problems += _listed("has", [f"{key} of {one}, expected {other}" for key, (one, other) in shapes.items() if one != other])
    if problems:
        fix = _unwrapped(list(given), list(wanted)) or f"pass weights of this {type(model).__name__}"
        raise NetworkError("; ".join(problems), where=str(path), fix=fix)
    model.load_state_dict(given, strict=False)


def _unwrapped(given: list[str], wanted: list[str]) -> str:
    """Return what to do with names that fit without what wraps the module or a layer of it; empty if none do."""
    around = next((key.removesuffix(wanted[0]) for key in given if key.endswith(f".{wanted[0]}")), "") if wanted else ""
    for wrapper in filter(None, (around, *WRAPPERS)):
        if set(wanted) <= {key.replace(wrapper, "") for key in given}:
            return f"save it without {wrapper!r}: {{k.replace({wrapper!r}, ''): v for k, v in model.state_dict().items()}}"
    return ""


def _is_state(model: nn.Module, key: str) -> bool:
    """Return whether an entry is a state of neurons, which snnTorch 0.8 saved among the weights."""
    layer, _, name = key.rpartition(".")
    owner = dict(model.named_modules()).get(layer)
    return name in STATES and name in getattr(owner, "_non_persistent_buffers_set", ())


def _listed(verb: str, items: list[str]) -> list[str]:
    more = f" and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
    return [f"{verb} {', '.join(items[:SHOWN])}{more}"] if items else []
