"""Reads an HDF5 file in a process of its own, so that no file can crash or exhaust the importer. Started by `hdf5`.

    python -P hdf5_child.py FILE [BYTES]     safetensors on stdout, or one line on stderr and exit code 2

With BYTES the file holds samples: so many bytes of numbers, and arrays whose rows differ in length are read row behind row, with
the lengths beside them.

Only plain numbers and text in groups are read. A file that reaches outside (external and soft links, virtual and external
data sets), that needs a filter plug-in, that nests deeply, or that declares more than it could hold is refused before
anything is allocated; the limits of this process hold for what a damaged file may do to the HDF5 library.
"""

import json
import os
import resource
import sys
from dataclasses import dataclass, field
from math import prod
from typing import Any, Never

os.environ["HDF5_PLUGIN_PRELOAD"] = "::"  # no filter is ever loaded from a file

import h5py
import numpy as np

MAX_DEPTH = 40
MAX_OBJECTS = 100_000
MAX_TOTAL_BYTES = 1 << 30  # of all numbers of a file, counted as the float64 that the importers make of them
SMALL_TOTAL_BYTES = 1 << 27  # of a small file
LARGE_RATIO = 32  # times its own size, of a larger one
NUMBER_BYTES = 8
MAX_STRINGS = 1 << 20
MAX_MEMORY_BYTES = 4 << 30
MAX_CPU_S = 100
FREE_BYTES = 16 << 20  # that a data set may declare without storing them
MAX_RATIO = 1100  # deflate reaches 1032
FILTERS = {1: "deflate", 2: "shuffle", 3: "fletcher32", 32000: "lzf"}


@dataclass
class Content:
    """What was read, by path. ``texts`` holds strings and nested lists of them; groups are named even if empty."""

    arrays: dict[str, Any] = field(default_factory=dict)
    texts: dict[str, Any] = field(default_factory=dict)
    groups: list[str] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)
    room: int = MAX_TOTAL_BYTES
    samples: bool = False  # numbers are counted as they are stored, and rows may differ in length


def refuse(problem: str, place: str) -> Never:
    """Ends with a sentence on stderr."""
    raise SystemExit(f"{json.dumps([problem, place])}")


def read_group(group: Any, place: str, depth: int, content: Content) -> None:
    """Everything in a group, and in the groups inside it."""
    if depth > MAX_DEPTH:
        refuse(f"nests groups more than {MAX_DEPTH} deep", place)
    content.groups.append(place)
    if len(group) + len(content.seen) > MAX_OBJECTS:
        refuse(f"holds more than {MAX_OBJECTS:,} objects", place)
    for name in group:
        inside = f"{place}/{name}".lstrip("/")
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            refuse("is a link, perhaps out of the file", inside)
        item = group[name]
        _must_be_new(item, inside, content)
        if isinstance(item, h5py.Group):
            read_group(item, inside, depth + 1, content)
        elif isinstance(item, h5py.Dataset):
            read_dataset(item, inside, content)
        else:
            refuse("is neither a group nor a data set", inside)


def _must_be_new(item: Any, place: str, content: Content) -> None:
    address = h5py.h5o.get_info(item.id).addr
    if address in content.seen:
        refuse("is in the file under two names", place)
    content.seen.add(address)


def read_dataset(data: Any, place: str, content: Content) -> None:
    """One data set, if its declaration is sound."""
    if data.shape is None:  # an empty one says: not given
        return
    _must_be_inside(data, place)
    if h5py.check_string_dtype(data.dtype) is not None or data.dtype.kind == "S":
        content.texts[place] = _texts(data, place)
        return
    if content.samples and h5py.check_vlen_dtype(data.dtype) is not None and data.ndim == 1:
        _read_rows(data, place, content)
        return
    if data.dtype.kind not in "iufb" or data.dtype.itemsize > 8:
        refuse(f"holds {data.dtype} objects, expected numbers or text", place)
    content.room -= _declared(data, place, content)
    content.arrays[place] = np.ascontiguousarray(data[()], data.dtype.newbyteorder("=")).reshape(data.shape)


def _must_be_inside(data: Any, place: str) -> None:
    if data.is_virtual or data.external:
        refuse("keeps its values in another file", place)
    plan = data.id.get_create_plist()
    used = {plan.get_filter(i)[0] for i in range(plan.get_nfilters())}
    if foreign := used - set(FILTERS):
        refuse(f"is compressed with filter {min(foreign)}, only {', '.join(FILTERS.values())} are read", place)


def _read_rows(data: Any, place: str, content: Content) -> None:
    """An array whose rows differ in length. Each row is in the file, so that none is larger than that."""
    dtype = h5py.check_vlen_dtype(data.dtype)
    if dtype.kind not in "iufb" or dtype.itemsize > NUMBER_BYTES:
        refuse(f"holds rows of {dtype} objects, expected numbers", place)
    content.room -= data.shape[0] * NUMBER_BYTES
    rows = []
    for number in range(data.shape[0] if content.room >= 0 else 0):
        rows.append(np.asarray(data[number], dtype.newbyteorder("=")))
        content.room -= rows[-1].nbytes
        if content.room < 0:
            break
    if content.room < 0:
        refuse(f"holds more numbers than are read of a file of this size (in {data.shape[0]:,} rows)", place)
    content.arrays[place] = np.concatenate([np.zeros(0, dtype.newbyteorder("=")), *rows])
    content.arrays[f"{place}:lengths"] = np.array([len(row) for row in rows], np.int64)


def _declared(data: Any, place: str, content: Content) -> int:
    """Return the bytes that the numbers of a data set will take."""
    size, room = prod(data.shape) * data.dtype.itemsize, content.room
    counted = data.dtype.itemsize if content.samples else NUMBER_BYTES
    chunk = prod(data.chunks or (0,)) * data.dtype.itemsize
    if (wanted := max(prod(data.shape), prod(data.chunks or (0,))) * counted) > room:
        refuse(f"declares {wanted:,} bytes of numbers (shape {data.shape}), {room:,} are left for a file of this size", place)
    stored = data.id.get_storage_size()
    if max(size, chunk) > FREE_BYTES + MAX_RATIO * stored:
        refuse(f"declares {max(size, chunk):,} bytes (shape {data.shape}), of which {stored:,} are in the file", place)
    return int(prod(data.shape)) * counted


def _texts(data: Any, place: str) -> Any:
    if prod(data.shape) > MAX_STRINGS or data.dtype.itemsize > 1 << 12:
        refuse(f"declares {prod(data.shape):,} texts, at most {MAX_STRINGS:,} are read", place)
    values = data[()]
    found = values.tolist() if isinstance(values, np.ndarray) else values
    return _decoded(found)


def _decoded(value: Any) -> Any:
    if isinstance(value, list):
        return [_decoded(v) for v in value]
    return value if isinstance(value, str) else value.decode()


def main(path: str, max_bytes: int | None = None) -> None:
    """Prints the content of a file."""
    memory = max(MAX_MEMORY_BYTES, 4 * (max_bytes or 0))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (MAX_CPU_S, MAX_CPU_S))
    from safetensors.numpy import save

    room = max(SMALL_TOTAL_BYTES, LARGE_RATIO * os.path.getsize(path))
    content = Content(room=min(max_bytes or MAX_TOTAL_BYTES, room), samples=max_bytes is not None)
    with h5py.File(path, "r") as file:
        read_group(file, "", 0, content)
    header = json.dumps({"texts": content.texts, "groups": content.groups})
    sys.stdout.buffer.write(save(content.arrays, {"content": header}))


if __name__ == "__main__":
    try:
        main(sys.argv[1], *map(int, sys.argv[2:]))
    except SystemExit as end:
        sys.stderr.write(f"{end.code}\n")
        sys.exit(2)
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError, AttributeError) as error:
        sys.stderr.write(f"{json.dumps([f'is damaged ({type(error).__name__})', ''])}\n")
        sys.exit(2)
