"""The networks of a published mapper, made again: as its example has them, with its count of links."""

import importlib
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import ROOT

from snnc.mapping.model import Core, Slice


@pytest.fixture
def partitioners(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("partitioners")


def test_networks_are_those_of_the_published_example(partitioners):
    """Rates and synapses from HySMap, examples/net_potjans_80.json, seed 1."""
    rates, mask = partitioners.generated(80, 1)
    np.testing.assert_allclose(rates[:5], [4.80356, 6.99459, 4.16388, 10.8377, 5.73094], rtol=1e-5)
    np.testing.assert_allclose(rates[-3:], [8.78666, 7.94191, 5.47153], rtol=1e-5)
    targets = {
        0: [1, 6, 9, 11, 12, 13, 18, 22, 25, 50, 59, 60],
        31: [2, 8, 11, 12, 13, 28, 32, 35, 38, 39, 42, 43, 45, 48, 59],
        55: [5, 17, 27, 28, 30, 31, 42, 44, 45, 50],
        76: [69, 73],
    }
    for source, wanted in targets.items():
        assert np.flatnonzero(mask[:, source]).tolist() == wanted


def test_networks_have_as_many_synapses_as_was_published(partitioners, monkeypatch):
    assert partitioners.published(80, 4, 0)[1].sum() == 611
    monkeypatch.setitem(partitioners.PUBLISHED, (80, 4), [(610, 0.0, 0.0, 0.0, 0.0)])
    with pytest.raises(ValueError, match="611 synapses, 610 were published"):
        partitioners.published(80, 4, 0)


def test_a_spike_takes_each_link_once(partitioners):
    """On 3 x 2 cores, from core 0 to the cores 2 and 5 at the other end of the row, and from 5 back to 0."""
    cores = tuple(Core(i, (Slice("cells", i, i + 1),), {}) for i in range(6))
    task = SimpleNamespace(neurons=("cells",), net={"cells": SimpleNamespace(size=6)}, profile=on_mesh(partitioners))
    mapped = SimpleNamespace(mapping=SimpleNamespace(cores=cores), places=np.arange(6))
    mask = np.zeros((6, 6))
    mask[[2, 5], 0] = mask[0, 5] = 1
    assert partitioners.multicast(task, mapped, mask, np.arange(1.0, 7.0)) == 1 * 3 + 6 * 3


def on_mesh(partitioners):
    base = partitioners.chips.load("loihi2")
    return partitioners.replace(base, cores=6, mesh=partitioners.Mesh(3, 2, 1))
