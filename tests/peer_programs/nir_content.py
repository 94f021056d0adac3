"""What a version of nir reads in files: python nir_content.py FILE...

Prints JSON, {"version", "files": [{node: {field: sha256}}]}.
"""

import hashlib
import json
import sys
from dataclasses import fields
from importlib.metadata import version

import nir
import numpy as np

INFERRED = ("input_type", "output_type", "metadata")


def digest(value):
    array = np.asarray(value)
    return hashlib.sha256(f"{array.dtype.kind}{array.shape}".encode() + array.tobytes()).hexdigest()


def content(path):
    graph = nir.read(path)
    numbers = {
        name: {f.name: digest(getattr(node, f.name)) for f in fields(node) if f.name not in INFERRED}
        for name, node in graph.nodes.items()
    }
    return {name: {"type": type(graph.nodes[name]).__name__, **found} for name, found in numbers.items()}


print(json.dumps({"version": version("nir"), "files": [content(path) for path in sys.argv[1:]]}))
