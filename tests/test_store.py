"""Files: nothing existing is lost, and nothing from outside is trusted."""

import errno
import json
import os
import resource
import signal
import struct
import subprocess
import sys
from contextlib import suppress

import numpy as np
import pytest
from cases.networks import fixed_chain, float_chain
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from snnc import store
from snnc.base.files import write_bytes
from snnc.errors import FileError, NetworkError, SnncError
from snnc.network.model import arrays


def test_a_path_may_be_text(tmp_path):
    net = fixed_chain()
    store.save(net, str(tmp_path / "net.snnc"))
    assert store.load(str(tmp_path / "net.snnc")).hash == net.hash


def test_an_existing_file_is_kept_without_force(tmp_path):
    path = tmp_path / "a.snnc"
    path.write_text("precious")
    with pytest.raises(FileError, match=r"a\.snnc: exists already; pick another path= or add force=True"):
        store.save(fixed_chain(), path)
    assert path.read_text() == "precious"
    store.save(fixed_chain(), path, force=True)
    assert store.load(path).hash == fixed_chain().hash


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_full_disk_loses_nothing(call, tmp_path, monkeypatch):
    path = tmp_path / "a.snnc"
    path.write_text("precious")

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FileError, match=r"a\.snnc: cannot write: No space left on device; free some space"):
        store.save(fixed_chain(), path, force=True)
    assert path.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [path]


def test_a_real_limit_of_the_system_loses_nothing(tmp_path):
    path = tmp_path / "a.snnc"
    path.write_text("precious")
    code = f"""
import pathlib
from snnc.base.files import write_bytes
from snnc.errors import FileError
try:
    write_bytes(pathlib.Path({str(path)!r}), b"x" * 1_000_000, force=True)
except FileError as error:
    print(error)
"""

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    done = subprocess.run([sys.executable, "-B", "-c", code], capture_output=True, text=True, check=True, preexec_fn=limit)
    assert "cannot write: File too large" in done.stdout
    assert path.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileError, match="the folder does not exist; create it first"):
        write_bytes(tmp_path / "no" / "a", b"")


def test_missing_truncated_and_foreign_files_get_one_sentence(tmp_path):
    whole = store.dumps(fixed_chain())
    bad = {
        "missing": None, "empty": b"", "truncated": whole[:-10], "half": whole[: len(whole) // 2], "text": b"hello, world" * 10,
        "torch": b"PK\x03\x04" + bytes(100), "huge_header": struct.pack("<Q", 1 << 60) + b"{}",
        "other_safetensors": save({"a": np.zeros(3)}), "other_schema": save({"a": np.zeros(3)}, {"snnc": '{"schema": "9"}'}),
        "deep": save({"a": np.zeros(1)}, {"snnc": "[" * 100_000}),
        "list": save({"a": np.zeros(1)}, {"snnc": "[]"}),
    }  # fmt: skip
    for name, content in bad.items():
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(FileError) as error:
            store.load(path)
        assert str(path) in str(error.value)
        assert "\n" not in str(error.value)


def edited(net, **changes):
    """The file of a network whose header says something else."""
    header, tensors = json.loads(_header(net)["__metadata__"]["snnc"]), {}
    for key, array in arrays(net):
        tensors[key] = np.array(array)
    for key, value in changes.items():
        if key in tensors:
            tensors[key] = value
        else:
            header[key] = value
    return save(tensors, {"snnc": json.dumps(header)})


def _header(net):
    raw = store.dumps(net)
    return json.loads(raw[8 : 8 + struct.unpack("<Q", raw[:8])[0]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"connection/fc1/values": lambda v: np.full_like(v, 3)}, "multiple of 2"),
        ({"connection/fc1/values": lambda v: np.full_like(v, 400)}, "reach -256 .. 254"),
        ({"connection/fc1/values": lambda v: np.zeros_like(v)}, "no weight other than 0"),
        ({"connection/fc1/values": lambda v: v[:-1]}, "pointers"),
        ({"connection/fc1/indices": lambda v: v + 100}, "names source neuron"),
        ({"connection/fc1/indptr": lambda v: v[::-1].copy()}, "row pointers"),
        ({"population/hidden1/threshold": lambda v: np.array(1 << 17)}, "allowed is 0 .. 131071"),
        ({"population/hidden1/decay_v": lambda v: np.array(5000)}, "allowed is 0 .. 4095"),
    ],
)
def test_a_network_that_contradicts_itself_is_refused(change, message, tmp_path):
    net = fixed_chain()
    key, alter = next(iter(change.items()))
    path = tmp_path / "bad.snnc"
    path.write_bytes(edited(net, **{key: alter(dict(arrays(net))[key])}))
    with pytest.raises(NetworkError, match=message) as error:
        store.load(path)
    assert "bad.snnc" in str(error.value)


def test_nan_weights_are_refused(tmp_path):
    net = float_chain()
    values = np.array(dict(arrays(net))["connection/fc2/values"])
    values[3] = np.nan
    (tmp_path / "nan.snnc").write_bytes(edited(net, **{"connection/fc2/values": values}))
    with pytest.raises(NetworkError, match=r"nan\.snnc: network 'case': connection 'fc2' holds 1 weights that are NaN"):
        store.load(tmp_path / "nan.snnc")


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.data())
def test_no_damaged_byte_crashes_the_reader(data):
    raw = bytearray(store.dumps(fixed_chain(sizes=(3, 4, 2))))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path = _scratch / "damaged.snnc"
    path.write_bytes(bytes(raw))
    with suppress(SnncError):  # any other exception fails the test
        store.load(path)


@pytest.fixture(autouse=True)
def _folder(tmp_path_factory):
    global _scratch
    _scratch = tmp_path_factory.mktemp("scratch")
