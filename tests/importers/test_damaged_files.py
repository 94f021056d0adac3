"""A file that says something impossible is refused in one sentence, whatever it says."""

import errno
import json
import os
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cases.networks import fixed_chain
from safetensors.numpy import save

from snnc import store
from snnc.errors import FileError, NetworkError, SnncError
from snnc.network.model import Stage, arrays
from snnc.report.inspection import inspect


def header_of(net):
    raw = store.dumps(net)
    return json.loads(json.loads(raw[8 : 8 + struct.unpack("<Q", raw[:8])[0]])["__metadata__"]["snnc"])


def file_of(net, path, header=None, **changed):
    """Write a network's file with another header or other arrays."""
    tensors = {key: np.array(array) for key, array in arrays(net)} | changed
    path.write_bytes(save(tensors, {"snnc": json.dumps(header or header_of(net))}))
    return path


def changed(entry, path, value):
    """Nested JSON in which the entry at a path of keys is another value."""
    if not path:
        return value
    entry[path[0]] = changed(entry[path[0]], path[1:], value)
    return entry


DAMAGES = [
    (["populations", 1, "shape"], [float("inf")], "shape of inf"),
    (["populations", 1, "shape"], [20.5], "shape of 20.5"),
    (["populations", 0, "shape"], [10**13], "neurons, at most"),
    (["populations", 0, "message_bits"], None, "message_bits of None"),
    (["populations", 0, "message_bits"], True, "message_bits of True"),
    (["populations", 0, "name"], [1], "damaged|expected text"),
    (["connections", 0, "delay_steps"], "1", "delay_steps of '1'"),
    (["connections", 0, "delay_steps"], 10**12, "0 to 65536 are possible"),
    (["connections", 0, "exponent"], 0.5, "exponent of 0.5"),
    (["connections", 0, "shape"], [float("inf"), 12], "damaged"),
    (["numeric", "bias_exponent_max"], 10**13, "bias_exponent_max 10000000000000, expected a whole number 0 to 16"),
    (["numeric", "state_bits"], 10**13, "state_bits"),
    (["numeric", "weight_bits"], -100_000, "weight_bits"),
    (["numeric", "weight_bits"], 8.0, "weight_bits 8.0"),
    (["numeric", "decay_bits"], 200, "decay_bits"),
    (["numeric", "state_shift"], -1, "state_shift"),
    (["dt_s"], float("nan"), "time step of nan"),
    (["dt_s"], "inf", "time step of inf"),
    (["dt_s"], 0, "time step of 0"),
    (["name"], [1], r"has the name \[1\]"),
    (["name"], "a\x1b[2J", "expected a line of text"),
    (["encoding", "steps"], 2.5, "steps = 2.5"),
    (["encoding", "seed"], -1, "seed = -1"),
    (["encoding", "kind"], [1], "unknown encoding"),
    (["done"], [{"name": "quantise", "settings": 3}], "history"),
]


@pytest.mark.parametrize(("path", "value", "message"), DAMAGES, ids=[f"{'.'.join(map(str, d[0]))}={d[1]!r}" for d in DAMAGES])
def test_a_header_of_wrong_types_or_sizes_is_refused(path, value, message, tmp_path):
    net = fixed_chain()
    bad = file_of(net, tmp_path / "bad.snnc", changed(header_of(net), path, value))
    with pytest.raises(SnncError, match=message) as error:
        store.load(bad)
    assert "bad.snnc" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("key", "alter"),
    [
        ("connection/fc1/values", lambda v: v[:, None]),
        ("connection/fc1/values", lambda v: v.astype(np.uint64)),
        ("connection/fc1/indptr", lambda v: v.astype(np.float64)),
        ("connection/fc1/indices", lambda v: v.astype(np.complex64)),
        ("population/hidden1/threshold", lambda v: v.astype(np.int16)),  # a threshold << 6 would overflow
    ],
)
def test_arrays_of_another_rank_or_type_are_refused(key, alter, tmp_path):
    net = fixed_chain()
    bad = file_of(net, tmp_path / "bad.snnc", **{key: alter(dict(arrays(net))[key])})
    with pytest.raises(NetworkError, match=r"bad\.snnc: .*(shape|type)"):
        store.load(bad)


@pytest.mark.parametrize("dtype", ["BF16", "F8_E4M3"])
def test_types_that_numpy_has_not_are_refused(dtype, tmp_path):
    """Where the package ml_dtypes is loaded, as onnx does, numpy has them; then the file lacks what every network has."""
    header = json.dumps({"a": {"dtype": dtype, "shape": [1], "data_offsets": [0, 2 if dtype == "BF16" else 1]}}).encode()
    path = tmp_path / "foreign.snnc"
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(2 if dtype == "BF16" else 1))
    with pytest.raises(FileError, match=r"is not an snnc network|has schema None"):
        store.load(path)


def test_several_problems_make_one_line():
    net = fixed_chain()
    with pytest.raises(NetworkError, match=r"2 problems: .*'hidden1'.*; .*'output'") as error:
        replace(net, populations=(net.populations[0], *(replace(p, message_bits=3) for p in net.populations[1:])))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "settings", [{"scales": 3}, {"scales": {"hidden1": "x"}}, {"scales": {"hidden1": float("nan")}}, {"limited_by": 3}]
)
def test_a_made_up_record_of_quantising_is_refused(settings):
    with pytest.raises(NetworkError, match="network 'case': records"):
        inspect(fixed_chain().after(Stage("quantise", settings)))


@pytest.mark.parametrize(("path", "message"), [("/dev/null", "is no regular file"), ("", "is a folder"), ("a/b", "no such file")])
def test_what_is_no_file_is_called_so(path, message, tmp_path):
    with pytest.raises(FileError, match=message) as error:
        store.load(tmp_path / path)
    assert error.value.fix


def test_a_folder_that_cannot_be_entered_is_named_with_a_remedy(tmp_path, monkeypatch):
    def denied(*_, **__):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "stat", denied)
    with pytest.raises(FileError, match=r"x\.snnc: cannot be read: Permission denied; check the permissions"):
        store.load(tmp_path / "x.snnc")
