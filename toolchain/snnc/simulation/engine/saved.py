"""Where a stream of the engine ended, in a file: a safetensors container, nothing in which is executed."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from snnc.base.files import write_bytes
from snnc.errors import FileError

if TYPE_CHECKING:
    from snnc.simulation.engine.call import StreamState

SCHEMA = "snnc.state/2"
_ANEW = "save it anew"


def save(state: "StreamState", path: Path, *, force: bool = False) -> None:
    """Write a state. Raises FileError if the file exists (without ``force``), WriteError if it cannot be written."""
    from safetensors.numpy import save as pack

    arrays: dict[str, Any] = {f"neurons/{p}/{v}": x for p, states in state.neurons.items() for v, x in states.items()}
    arrays |= {f"sent/{p}": raster for p, raster in state.sent.items()}
    about = {"schema": SCHEMA, "steps": str(state.steps), "network": state.network}
    content = pack({key: np.ascontiguousarray(x) for key, x in arrays.items()}, about)
    write_bytes(path, content, force=force)


def load(path: Path) -> "StreamState":
    """Read a state; `engine.stream` checks whether it suits a network. Raises FileError for what is no state of ours."""
    from safetensors import SafetensorError, safe_open

    from snnc.simulation.engine.call import StreamState

    try:
        if not path.is_file():
            raise FileError("no such file", where=str(path), fix="check the path")
        with safe_open(path, framework="numpy") as file:
            about = file.metadata() or {}
            arrays = {key: file.get_tensor(key) for key in file.keys()}
        if about.get("schema") != SCHEMA:
            raise FileError(f"has schema {about.get('schema')!r}, this version reads {SCHEMA!r}", where=str(path), fix=_ANEW)
        neurons: dict[str, dict[str, Any]] = {}
        for key in (key for key in arrays if key.startswith("neurons/")):
            _, population, variable = key.split("/")
            neurons.setdefault(population, {})[variable] = arrays[key]
        sent = {key.removeprefix("sent/"): x for key, x in arrays.items() if key.startswith("sent/")}
        if (steps := int(about["steps"])) < 0:
            raise ValueError(f"{steps} steps")
        return StreamState(steps, neurons, sent, about["network"])
    except (SafetensorError, KeyError, ValueError, TypeError, OSError) as error:
        raise FileError(f"is no state of the engine, or is damaged ({error})", where=str(path), fix=_ANEW) from error
