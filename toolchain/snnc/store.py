"""Network <-> one ``.snnc`` file. The only module that knows the format.

A file is a safetensors container: the arrays, and one metadata entry ``snnc`` with the rest as JSON. Nothing in it is
ever executed, sizes are checked against the file's own length, and equal networks give equal bytes.
"""

import json
import stat
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import snnc.neurons as neurons
from snnc import ops
from snnc.base.files import write_bytes
from snnc.base.public import public
from snnc.errors import FileError, SnncError
from snnc.network.arithmetic import numeric_of
from snnc.network.encoding import Encoding
from snnc.network.model import Connection, Network, Population, Stage, arrays, structure
from snnc.network.synapses import Synapses
from snnc.rules.rule import Rule
from snnc.rules.ruled import Ruled

SCHEMA = "snnc.network/1"


def dumps(net: Network) -> bytes:
    """The bytes of a network's file."""
    from safetensors.numpy import save as pack

    header = {"schema": SCHEMA, "name": net.name, **structure(net), "done": [asdict(s) for s in net.done]}
    tensors = {key: np.array(array, order="C") for key, array in arrays(net)}
    return pack(tensors, {"snnc": json.dumps(header, sort_keys=True, separators=(",", ":"))})


@public
def save(net: Network, path: Path | str, *, force: bool = False) -> None:
    """Write a network into a file, whole or not at all; equal networks give equal bytes.

    Args:
        net: The network.
        path: The file, best one that ends in .snnc.
        force: Replace the file that is there.

    Raises:
        FileError: The file exists, or cannot be written.

    Examples:
        >>> import os, snnc
        >>> net = snnc.train("digits", hidden=(16,), epochs=1, steps=4)
        >>> snnc.save(net, "dense.snnc")
        >>> os.path.exists("dense.snnc")
        True
    """
    write_bytes(Path(path), dumps(net), force=force)


@public
def load(path: Path | str) -> Network:
    """Read a network from its file; nothing in it is executed.

    Args:
        path: A file that `save`, or a verb of the command line, wrote.

    Returns:
        The network, with the stages that made it.

    Raises:
        FileError: The file is missing, truncated or no network.
        NetworkError: What it holds contradicts itself.

    Examples:
        >>> import snnc
        >>> net = snnc.train("digits", hidden=(16,), epochs=1, steps=4)
        >>> snnc.save(net, "dense.snnc", force=True)
        >>> snnc.load("dense.snnc").hash == net.hash
        True
    """
    header, tensors = _read(path := Path(path))
    if not isinstance(header, dict) or header.get("schema") != SCHEMA:
        schema = header.get("schema") if isinstance(header, dict) else None
        raise FileError(f"has schema {schema!r}, this version reads {SCHEMA!r}", where=str(path), fix="write it again")
    try:
        return _network(header, tensors)
    except SnncError as error:
        raise type(error)(error.what, where=f"{path}: {error.where}".rstrip(": "), fix=error.fix) from error
    except (KeyError, IndexError, TypeError, ValueError, OverflowError, AttributeError, RecursionError) as error:
        raise FileError(f"is damaged: {error!r}", where=str(path), fix="write it again") from error


def _read(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    from safetensors import SafetensorError, safe_open

    try:
        _must_be_a_file(path)
        with safe_open(path, framework="numpy") as file:
            header = json.loads((file.metadata() or {}).get("snnc", "{}"))
            return header, {key: file.get_tensor(key) for key in file.keys()}
    except (SafetensorError, ValueError, TypeError, AttributeError, RecursionError) as error:  # of types numpy has not, too
        raise FileError(
            f"is not an snnc network, or is truncated ({error})",
            where=str(path),
            fix="name a network that snnc train, prune or quantise wrote",
        ) from error
    except OSError as error:
        fix = "check the permissions of the file and of the folders above it"
        raise FileError(f"cannot be read: {error.strerror or error}", where=str(path), fix=fix) from error


def _must_be_a_file(path: Path) -> None:
    """Raises FileError for what is none, OSError where the folders above it cannot be entered."""
    try:
        kind = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileError("no such file", where=str(path), fix="check the path") from error
    if not stat.S_ISREG(kind):
        what = "a folder" if stat.S_ISDIR(kind) else "no regular file"
        raise FileError(f"is {what}", where=str(path), fix="name a network, a file that ends in .snnc")


def _network(header: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> Network:
    return Network(
        name=header["name"],
        populations=tuple(_population(p, tensors) for p in header["populations"]),
        connections=tuple(_connection(c, tensors) for c in header["connections"]),
        dt_s=float(header["dt_s"]),
        numeric=numeric_of(dict(header["numeric"])),
        encoding=Encoding(**header["encoding"]) if header["encoding"] else None,
        done=tuple(Stage(**stage) for stage in header["done"]),
    )


def _population(fields: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> Population:
    name, neuron = fields["name"], None
    if fields["neuron"] is not None:
        model = neurons.get(fields["neuron"])
        neuron = model(**{p: tensors[f"population/{name}/{p}"] for p in model.parameters()})
    return Population(name, tuple(fields["shape"]), neuron, fields["message_bits"], fields.get("max_spikes_per_step"))


def _connection(fields: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> Connection:
    key = f"connection/{fields['name']}/"
    synapses = Ruled(Rule.of_json(fields["rule"])) if "rule" in fields else _synapses(fields["shape"], key, tensors)
    op = ops.get(fields["op"]).of_geometry(synapses, fields["exponent"], fields["sign_mode"], fields)
    return Connection(fields["name"], fields["src"], fields["dst"], op, fields["delay_steps"], tensors.get(key + "axon_delays"))


def _synapses(sizes: list[Any], key: str, tensors: dict[str, NDArray[Any]]) -> Synapses:
    indptr, indices, values = (tensors[key + part] for part in ("indptr", "indices", "values"))
    return Synapses((int(sizes[0]), int(sizes[1])), indptr, indices, values, tensors.get(key + "delays"))
