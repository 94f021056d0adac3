"""Synapses in narrow types, in memory or mapped from a file, are those that they were made of."""

import pickle

import numpy as np
import pytest
from cases.convolutions import convolutional
from cases.networks import LOIHI, fixed_chain, float_chain
from safetensors.numpy import load_file

from snnc import chips, store
from snnc.budget.check import check
from snnc.errors import FileError, NetworkError
from snnc.network import narrow, synapses
from snnc.network.arithmetic import Float
from snnc.network.packed import Packed
from snnc.network.synapses import Synapses
from snnc.passes.quantise import quantise

NETS = {
    "fixed": lambda: fixed_chain(3, (40, 300, 7)),
    "float": lambda: float_chain(3, (40, 300, 7), density=0.4),
    "delays": lambda: convolutional(LOIHI, delays=True),
    "float_delays": lambda: convolutional(Float(), delays=True),
}


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    """Map every file, and look at little together."""
    monkeypatch.setattr(store, "MAPPED", 0)
    monkeypatch.setattr(narrow, "PIECE", 200)
    monkeypatch.setattr(synapses.Synapses.slices, "__defaults__", (0, None, 60))


@pytest.mark.parametrize("name", NETS)
def test_a_mapped_network_is_the_one_that_was_saved(name, tmp_path):
    net, path = NETS[name](), tmp_path / "n.snnc"
    store.save(net, path)
    mapped = store.load(path)
    assert mapped.hash == net.hash
    assert store.dumps(mapped) == store.dumps(net) == path.read_bytes()
    assert pickle.loads(pickle.dumps(mapped)).hash == net.hash
    store.save(mapped, path, force=True)  # over the file that it is mapped from
    assert mapped.hash == store.load(path).hash == net.hash
    for c, was in zip(mapped.connections, net.connections, strict=True):
        _must_be_alike(c.op.synapses, was.op.synapses)
    if net.numeric.kind == "float":
        assert quantise(mapped, chips.load("loihi2")).hash == quantise(net, chips.load("loihi2")).hash
    else:
        assert check(mapped, chips.load("loihi2")) == check(net, chips.load("loihi2"))


def _must_be_alike(ours, theirs):
    assert isinstance(ours, Packed)
    half, rng = theirs.shape[0] // 2, np.random.default_rng(0)
    kept, rows, columns = (rng.random(n) < 0.5 for n in (theirs.count, *theirs.shape))
    inputs = rng.integers(0, 3, (2, theirs.shape[1]))
    pairs = [
        *((f(ours), f(theirs)) for f in (
            lambda s: s, lambda s: s.block(half, s.shape[0]), lambda s: s.keep(kept), lambda s: s.select(rows, columns),
            lambda s: s.with_values(s.values * 2), lambda s: s.on_grid(3, 2),
        )),
    ]  # fmt: skip
    for a, b in pairs:
        for (key, x), (_, y) in zip(a.arrays(), b.arrays(), strict=True):
            np.testing.assert_array_equal(x, y, strict=True, err_msg=key)
        assert a.problems() == b.problems() == []
        assert (a.count, a.dtype, a.extremes(), a.delay_extremes()) == (b.count, b.dtype, b.extremes(), b.delay_extremes())
    np.testing.assert_array_equal(ours.sources(half, theirs.shape[0]), theirs.sources(half, theirs.shape[0]), strict=True)
    np.testing.assert_array_equal(ours.weigh(inputs), theirs.weigh(inputs), strict=True)
    np.testing.assert_array_equal(ours.row_sums(), theirs.row_sums(), strict=True)
    for step in (1, 2, 64):
        assert ours.dtype == np.float64 or ours.is_multiple_of(step) == theirs.is_multiple_of(step)


def test_a_file_holds_each_array_in_the_smallest_type(tmp_path):
    """8-bit weights of both signs are even numbers of 9 bits: halves of them are in the file."""
    store.save(fixed_chain(3, (40, 300, 7)), tmp_path / "fixed.snnc")
    arrays = load_file(tmp_path / "fixed.snnc")
    assert {key.rpartition("/")[2]: array.dtype for key, array in arrays.items() if key.startswith("connection/fc2")} == {
        "indptr": np.int64, "indices": np.uint16, "values<<1": np.int8,
    }  # fmt: skip
    net = float_chain(3, (40, 300, 7))
    single = net.connections[1].op.with_values(net.connections[1].op.synapses.values.astype(np.float32).astype(np.float64))
    for op, dtype in ((net.connections[1].op, np.float64), (single, np.float32)):
        changed = narrow.smallest(op.synapses.values)
        assert changed == (dtype, 0)


def test_files_of_the_first_schema_are_mapped_with_their_hash():
    for name, wanted in (("dense", "float"), ("fixed", "fixed")):
        path = store.Path(__file__).parents[1] / "golden/earlier" / f"{name}.snnc"
        net = store.load(path)
        assert net.numeric.kind == wanted
        assert all(isinstance(c.op.synapses, Packed) for c in net.connections)
        plain = Synapses(*(getattr(net.connections[0].op.synapses, k) for k in ("shape", "indptr", "indices", "values")))
        _must_be_alike(net.connections[0].op.synapses, plain)


def test_a_truncated_or_damaged_large_file_gets_one_sentence(tmp_path):
    whole, path = store.dumps(NETS["delays"]()), tmp_path / "n.snnc"
    for content in (whole[:-1], whole[: len(whole) // 2], whole[:9], whole.replace(b"values<<1", b"values<<9")):
        path.write_bytes(content)
        with pytest.raises(FileError, match=r"n\.snnc: is not an snnc network, or is truncated \(.*\); name a network") as error:
            store.load(path)
        assert "\n" not in str(error.value)
    at = whole.index(b"\0" * 8, 8 + int.from_bytes(whole[:8], "little"))  # the first pointer of a row
    path.write_bytes(whole[:at] + b"\1" + whole[at + 1 :])
    with pytest.raises(NetworkError, match="row pointers that do not ascend"):
        store.load(path)


def test_a_sum_piece_by_piece_is_that_of_all_at_once():
    values = np.random.default_rng(0).random(12_345)
    assert narrow.pairwise(lambda first, last: float(values[first:last].sum()), 0, len(values)) == float(values.sum())
