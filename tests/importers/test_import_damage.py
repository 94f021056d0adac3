"""Whatever stands in a NIR or netx file, the import ends in a network or in one sentence."""

import copy
import warnings

import numpy as np
import pytest
from cases.convolutions import convolutional
from cases.networks import fixed_chain

pytest.importorskip("nir", reason="NIR files are made with nir: pip install nir")
pytest.importorskip("torch", reason="NIR graphs of the tests need torch: pip install '.[train]'")

import nir
from cases.nir_graphs import branches, norse, potentials, settled, sinabs, snntorch_recurrent
from tests.importers.test_netx_files import planes, spiking, written

from snnc import targets
from snnc.base import hdf5
from snnc.errors import SnncError
from snnc.importers import ImportConfig, load

ODD = [
    None, {}, "text", "", [], [["a"]], [["a", "b", "c"]], np.zeros(0), np.zeros((0, 3)), np.array(0), np.array(-1), np.array(0.5),
    np.array(1e30), np.array(np.nan), np.array([np.inf, 1]), np.ones(3), np.ones((2, 3, 4, 5, 6)), np.full(3, -7),
    np.zeros((1, 1)),    np.array([1 << 40]), np.array(True), np.full((7, 2), 3), np.array([]), np.arange(5),
]  # fmt: skip


def nir_file(make, path):
    nir.write(path, settled(make(np.random.default_rng(0))[0]))
    return path


def exported(net, target, path):
    return next(targets.export(target, net, None, path).root.glob("network.n*"))


SOURCES = {
    "nir recurrent": lambda folder: nir_file(snntorch_recurrent, folder / "a.nir"),
    "nir planes": lambda folder: nir_file(sinabs, folder / "a.nir"),
    "nir leaks": lambda folder: nir_file(potentials, folder / "a.nir"),
    "nir norse": lambda folder: nir_file(norse, folder / "a.nir"),
    "nir branches": lambda folder: nir_file(branches, folder / "a.nir"),
    "nir own": lambda folder: exported(convolutional(delays=True), "nir", folder / "a"),
    "netx spikes": lambda folder: written(spiking(np.random.default_rng(0)), folder / "a.net", Ts=1, tSample=20),
    "netx planes": lambda folder: written(planes(np.random.default_rng(0)), folder / "a.net", Ts=1, tSample=20),
    "netx own": lambda folder: exported(fixed_chain(), "netx", folder / "a"),
}


def places(tree, way=()):
    """The ways to all entries of a tree."""
    for name, value in tree.items():
        yield (*way, name)
        if isinstance(value, dict):
            yield from places(value, (*way, name))


def with_change(tree, way, value):
    changed = copy.copy(tree)
    if len(way) > 1:
        changed[way[0]] = with_change(tree[way[0]], way[1:], value)
    elif value is None:
        del changed[way[0]]
    else:
        changed[way[0]] = value
    return changed


@pytest.mark.parametrize("name", SOURCES)
def test_an_odd_entry_anywhere_is_one_sentence(name, tmp_path, monkeypatch):
    source = SOURCES[name](tmp_path)
    kind = name.split()[0]
    tree = hdf5.read(tmp_path / source).tree
    config = ImportConfig(dt_s=1e-3, discretise="exp") if kind == "nir" else ImportConfig(pixel_range="-1:1")
    refused = 0
    for i, way in enumerate(places(tree)):
        for value in ODD[i % 4 :: 4]:
            monkeypatch.setattr(hdf5, "read", lambda path, t=with_change(tree, way, value): hdf5.Group(t, str(path)))
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                try:
                    load(kind).read("x", config)
                except SnncError as error:
                    refused += 1
                    if "\n" in str(error) or not error.what:
                        raise
    assert refused > 60
