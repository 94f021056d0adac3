"""The weights of a torch module in a file of safetensors or of ``torch.save``."""

import zipfile
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor, nn

from snnc.errors import FileError, NetworkError

SHOWN = 5  # problems of one kind that a message lists
LATER = ".graded_spikes_factor"  # which snnTorch up to 0.6 neither has nor saves; it is 1 there
WRAPPERS = ({"_orig_mod"}, {"module"}, {"_orig_mod", "module"})  # names that torch.compile and DataParallel give what they wrap
STATES = ("mem", "syn", "spk")
DAMAGE = (UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile)
SAVE = "save model.state_dict() with safetensors or torch.save"

StateDict = dict[str, Tensor]


def load_weights(model: nn.Module, path: Path) -> None:
    """Load the weights of a file into a model, as `weights_for` finds them.

    Raises FileError as `weights_for`, or NetworkError that names what does not fit.
    """
    state = weights_for(model, path)
    if problems := _problems(state, model):
        raise NetworkError("; ".join(problems), where=str(path), fix=f"pass weights of this {type(model).__name__}")
    model.load_state_dict(_without_states(state, model), strict=False)


def weights_for(model: nn.Module, path: Path) -> StateDict:
    """Return the state dict in a file of safetensors or of ``torch.save``, by the names of a model; nothing in it is executed.

    If it fits only without what wraps the model or its layers (``module.``, ``_orig_mod.``, the name of a module around it),
    these parts of the names are left out. Of a checkpoint, which holds a state dict among other things, the one that fits is
    taken.

    Raises FileError if the file holds no state dict, or several, of which none or more than one fits.
    """
    held = {name: _renamed(state, model) for name, state in _state_dicts(path).items()}
    problems = {name: _problems(state, model) for name, state in held.items()}
    fitting = [name for name in held if not problems[name]]
    if len(fitting) == 1 or len(held) == 1:
        return held[(fitting or list(held))[0]]
    if fitting:
        what = f"holds {len(fitting)} state dicts that fit this {type(model).__name__}, {', '.join(map(repr, fitting))}"
        raise FileError(what, where=str(path), fix="save the one that you mean alone, with torch.save")
    what = "; ".join(f"{name!r} {found[0]}" for name, found in problems.items())
    fix = f"pass weights of this {type(model).__name__}"
    raise FileError(f"holds {len(held)} state dicts, and none fits: {what}", where=str(path), fix=fix)


def _state_dicts(path: Path) -> dict[str, StateDict]:
    """Return the state dicts of a file by the keys that lead to them; a file that is one has the key ""."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if zipfile.is_zipfile(path):
            return _saved_by_torch(path)
        return {"": load_file(path)}
    except OSError as error:
        raise FileError(f"cannot be read: {error.strerror or error}", where=str(path), fix="check the path") from error
    except SafetensorError as error:
        what = f"is neither a safetensors file ({error}) nor one of torch.save since torch 1.6"
        raise FileError(what, where=str(path), fix=SAVE) from error


def _saved_by_torch(path: Path) -> dict[str, StateDict]:
    """As `_state_dicts`, of a file of ``torch.save``, whose unpickler makes tensors and plain values only (weights_only)."""
    try:
        with zipfile.ZipFile(path) as archive:
            packed = [entry.filename for entry in archive.infolist() if entry.file_size > entry.compress_size]
        if packed:
            raise FileError(f"has {packed[0]!r} compressed, which torch.save does not do", where=str(path), fix=SAVE)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except DAMAGE as error:
        what = "holds more than tensors and plain values, or is damaged: torch reads no weights from it"
        raise FileError(what, where=str(path), fix=SAVE) from error
    if _is_state_dict(state):
        return {"": dict(state)}
    inside = state.items() if isinstance(state, dict) else ()
    if found := {str(key): dict(value) for key, value in inside if value and _is_state_dict(value)}:
        return found
    raise FileError("holds no state dict, a tensor by each name", where=str(path), fix=SAVE)


def _is_state_dict(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(k, str) and isinstance(v, Tensor) for k, v in value.items())


def _renamed(state: StateDict, model: nn.Module) -> StateDict:
    """Return a state dict without what wraps a model in its names, if these are the model's only then."""
    wanted = _wanted(state, model)
    if wanted <= set(state):
        return state
    first = min(wanted)
    around = {key.removesuffix(first) for key in state if key.endswith(f".{first}")}
    bare = [{".".join(part for part in key.split(".") if part not in names): key for key in state} for names in WRAPPERS]
    bare += [{key.removeprefix(prefix): key for key in state} for prefix in sorted(around)]
    for names in bare:
        if wanted <= set(names) and len(names) == len(state):
            return {name: state[key] for name, key in names.items()}
    return state


def _wanted(state: StateDict, model: nn.Module) -> set[str]:
    """Return the names that a model needs of a state dict."""
    return {key for key in model.state_dict() if key in state or not key.endswith(LATER)}


def _problems(state: StateDict, model: nn.Module) -> list[str]:
    """Return what a state dict lacks, has in addition, and has in another shape than a model."""
    own = model.state_dict()
    given, needed = _without_states(state, model), _wanted(state, model)
    wanted = [key for key in own if key in needed]
    shapes = {key: (tuple(given[key].shape), tuple(own[key].shape)) for key in wanted if key in given}
    return [
        *_listed("lacks", [key for key in wanted if key not in given]),
        *_listed("has in addition", [key for key in given if key not in own]),
        *_listed("has", [f"{key} of {one}, expected {other}" for key, (one, other) in shapes.items() if one != other]),
    ]


def _without_states(state: StateDict, model: nn.Module) -> StateDict:
    """Return a state dict without the states of neurons, which snnTorch 0.8 saved among the weights."""
    unsaved = {
        f"{layer}.{name}".removeprefix(".")
        for layer, owner in model.named_modules()
        for name in getattr(owner, "_non_persistent_buffers_set", ())
        if name in STATES
    }
    return {key: value for key, value in state.items() if key not in unsaved}


def _listed(verb: str, items: list[str]) -> list[str]:
    more = f" and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
    return [f"{verb} {', '.join(items[:SHOWN])}{more}"] if items else []
