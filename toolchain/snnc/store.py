"""Network <-> one ``.snnc`` file. The only module that knows the format.

A file is a safetensors container: the arrays, and one metadata entry ``snnc`` with the rest as JSON. Nothing in it is
ever executed, sizes are checked against the file's own length, and equal networks give equal bytes. The arrays of synapses
are in the smallest types that hold them; ``values<<1`` are weights divided by 2. Those of large networks are mapped.
"""

import json
import mmap
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from math import prod
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
from snnc.network.model import Connection, Network, Population, Stage, stored, structure
from snnc.network.narrow import Narrow, pieces, smallest
from snnc.network.packed import Packed
from snnc.network.synapses import Synapses
from snnc.rules.rule import Rule
from snnc.rules.ruled import Ruled

SCHEMA = "snnc.network/2"
SCHEMAS = ("snnc.network/1", SCHEMA)  # that are read; the first has no narrow arrays
MAPPED = 1 << 22  # synapses from which on the arrays of synapses are mapped, not read
NARROW = {"indices": np.int32, "values": np.int64, "delays": np.int32}  # types in which arrays of integers are read
DTYPES = {
    "F64": "<f8", "I64": "<i8", "U64": "<u8", "F32": "<f4", "I32": "<i4", "U32": "<u4",
    "F16": "<f2", "I16": "<i2", "U16": "<u2", "I8": "i1", "U8": "u1", "BOOL": "?",
}  # fmt: skip


def dumps(net: Network) -> bytes:
    """The bytes of a network's file."""
    return b"".join(_written(net))


def _written(net: Network) -> Iterator[bytes]:
    """Yield the bytes of a network's file in pieces; the widest types come first, so that each array is aligned."""
    header = {"schema": SCHEMA, "name": net.name, **structure(net), "done": [asdict(s) for s in net.done]}
    about: dict[str, Any] = {"__metadata__": {"snnc": json.dumps(header, sort_keys=True, separators=(",", ":"))}}
    spelled = sorted((_spelled(key, array) for key, array in stored(net)), key=lambda one: (-one[1].itemsize, one[0]))
    names, end = {np.dtype(text): name for name, text in DTYPES.items()}, 0
    for key, dtype, array, _ in spelled:
        start, end = end, end + prod(array.shape) * dtype.itemsize
        about[key] = {"dtype": names[dtype], "shape": list(array.shape), "data_offsets": [start, end]}
    text = json.dumps(about, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    yield len(text).to_bytes(8, "little") + text
    for _, dtype, array, shift in spelled:
        yield from ((piece >> shift if shift else piece).astype(dtype).tobytes() for piece in pieces(array))


def _spelled(key: str, array: NDArray[Any] | Narrow) -> tuple[str, np.dtype[Any], NDArray[Any] | Narrow, int]:
    """Return an array with its name in the file, the type in which it is there, and how its elements are shifted down."""
    if not key.startswith("connection/") or key.rpartition("/")[2] not in NARROW:
        return key, array.dtype, array, 0
    dtype, shift = smallest(array)
    return key + (f"<<{shift}" if shift else ""), dtype, array, shift


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
    write_bytes(Path(path), _written(net), force=force)


@public
def load(path: Path | str) -> Network:
    """Read a network from its file; nothing in it is executed.

    The synapses of a large network stay in the file, which is mapped: replace it as `save` does, under another name first, rather
    than write into it while the network is in use.

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
    if not isinstance(header, dict) or header.get("schema") not in SCHEMAS:
        schema = header.get("schema") if isinstance(header, dict) else None
        raise FileError(f"has schema {schema!r}, this version reads {SCHEMA!r}", where=str(path), fix="write it again")
    try:
        return _network(header, tensors)
    except SnncError as error:
        raise type(error)(error.what, where=f"{path}: {error.where}".rstrip(": "), fix=error.fix) from error
    except (KeyError, IndexError, TypeError, ValueError, OverflowError, AttributeError, RecursionError) as error:
        raise FileError(f"is damaged: {error!r}", where=str(path), fix="write it again") from error


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the header and the arrays, those that are held in narrow types as `Narrow`."""
    from safetensors import SafetensorError, safe_open

    try:
        _must_be_a_file(path)
        with safe_open(path, framework="numpy") as file:  # which checks all sizes
            header = json.loads((file.metadata() or {}).get("snnc", "{}"))
            narrow = {key: key.partition("<<")[0] for key in file.keys() if _base(key) in NARROW}
            if len(set(narrow.values())) < len(narrow):
                raise ValueError("an array is there twice")
            others = {key: file.get_tensor(key) for key in file.keys() if key not in narrow}
            large = sum(prod(file.get_slice(key).get_shape()) for key in narrow if _base(key) == "values") > MAPPED
            read: dict[str, Any] = {} if large else {key: _wide(key, file.get_tensor(key)) for key in narrow}
        read = _mapped(path, narrow) if large else read
        return header, others | {narrow[key]: array for key, array in read.items()}
    except (SafetensorError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:  # types numpy lacks, too
        raise FileError(
            f"is not an snnc network, or is truncated ({error})",
            where=str(path),
            fix="name a network that snnc train, prune or quantise wrote",
        ) from error
    except OSError as error:
        fix = "check the permissions of the file and of the folders above it"
        raise FileError(f"cannot be read: {error.strerror or error}", where=str(path), fix=fix) from error


def _base(key: str) -> str:
    """Return what an array of a connection holds, "values" say; "" for arrays of something else."""
    return key.rpartition("/")[2].partition("<<")[0] if key.startswith("connection/") else ""


def _mapped(path: Path, keys: Iterable[str]) -> dict[str, Narrow]:
    """Return arrays of a file, mapped. Raises ValueError if they do not lie within it."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        about = json.loads(file.read(size))
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    arrays = {}
    for key in keys:
        dtype, shape = np.dtype(DTYPES[about[key]["dtype"]]), about[key]["shape"]
        start = 8 + size + about[key]["data_offsets"][0]
        held = np.frombuffer(mapped, dtype, prod(shape), start).reshape(shape)
        arrays[key] = _narrow(key, held, mapped, start)
    return arrays


def _wide(key: str, held: NDArray[Any]) -> NDArray[Any]:
    """Return an array in the type in which it is read; one of another rank as it is, which no network takes."""
    return _narrow(key, held)[:] if held.ndim == 1 else held


def _narrow(key: str, held: NDArray[Any], file: mmap.mmap | None = None, offset: int = 0) -> Narrow:
    """Return an array as it is read: integers and floats in one type each, others as they are, which no network takes.

    Raises ValueError for a shape or a shift that cannot be.
    """
    kind, shift = held.dtype.kind, key.partition("<<")[2]
    if held.ndim != 1 or (shift and (kind not in "iu" or held.dtype.itemsize > 4 or shift not in map(str, range(1, 9)))):
        raise ValueError(f"{key} of shape {held.shape} and type {held.dtype}")
    wide = np.dtype(np.float64 if kind == "f" else NARROW[_base(key)])
    return Narrow(held, wide if kind in "iuf" and np.can_cast(held.dtype, wide) else held.dtype, int(shift or 0), file, offset)


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


def _synapses(sizes: list[Any], key: str, tensors: Mapping[str, Any]) -> Synapses:
    made = Packed if isinstance(tensors[key + "values"], Narrow) else Synapses
    indptr, indices, values = (tensors[key + part] for part in ("indptr", "indices", "values"))
    return made((int(sizes[0]), int(sizes[1])), indptr, indices, values, tensors.get(key + "delays"))
