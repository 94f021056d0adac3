"""Writes a tree of arrays and texts as an HDF5 file: the same bytes for the same content. Used by `nir` and `netx`."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from snnc.errors import MissingDependencyError

COMPRESSED_FROM = 1024  # bytes


def write(tree: Mapping[str, Any], path: Path) -> None:
    """Write a tree: name -> another tree, an array, a number, a text (or bytes, stored at fixed length), or pairs of texts.

    Raises MissingDependencyError without h5py.
    """
    if find_spec("h5py") is None:
        raise MissingDependencyError("writing HDF5 needs h5py", fix="pip install '.[exchange]'")
    import h5py

    with h5py.File(path, "w", libver=("earliest", "v110"), driver="core", backing_store=False) as file:
        _fill(file, tree)
        file.flush()
        content = file.id.get_file_image()
    path.write_bytes(content)  # not by HDF5, which crashes where the disk is full


def _fill(group: Any, tree: Mapping[str, Any]) -> None:
    import h5py

    for name, value in tree.items():
        if isinstance(value, Mapping):
            _fill(group.create_group(name), value)
        elif isinstance(value, str | list):
            group.create_dataset(name, data=value, dtype=h5py.string_dtype())
        else:
            array = np.asarray(value)
            packed = {"compression": "gzip", "shuffle": True} if array.nbytes >= COMPRESSED_FROM else {}
            group.create_dataset(name, data=array, **packed)
