"""Arguments that cannot be are refused in one sentence of snnc's own, not by what they break further down."""

import sys

import numpy as np
import pytest
from cases.networks import fixed_chain, float_chain, spikes

import snnc

NET = fixed_chain()


@pytest.mark.parametrize(
    "call",
    [
        lambda net: snnc.quantise(net, "loihi1"),
        lambda net: snnc.check(net, "loihi1"),
        lambda net: snnc.remedies(net, "loihi1"),
        lambda net: snnc.map(net, "loihi1"),
        lambda net: snnc.export(net, "npz", "never"),
        lambda net: snnc.simulate(net, np.zeros((1, 2, 12), np.uint8)),
        lambda net: snnc.evaluate(net, "digits"),
        lambda net: snnc.contrast(net, NET, "digits"),
        lambda net: snnc.contrast(NET, net, "digits"),
        snnc.prove_ranges,
        snnc.simplify,
        snnc.inspect,
        lambda net: snnc.inspect(NET, net),
        lambda net: snnc.save(net, "never.snnc"),
        lambda net: snnc.prune(net, "digits", connectivity=0.5),
        lambda net: snnc.prune_to_fit(net, "loihi1:cores=1", "digits"),
    ],
)
def test_a_path_is_no_network(call):
    with pytest.raises(
        snnc.UsageError, match=r"^'a\.snnc' is a path, expected a network; load it first: snnc\.load\('a\.snnc'\)$"
    ):
        call("a.snnc")


def test_neither_is_what_is_no_path():
    with pytest.raises(snnc.UsageError, match=r"^list is no network; pass what"):
        snnc.check([NET], "loihi1")


@pytest.mark.parametrize("data", [np.zeros((3, 64)), (np.zeros((3, 64)), np.zeros(3)), None])
def test_arrays_are_no_data_set(data):
    with pytest.raises(snnc.DataError, match=r"is neither a data set nor the name of one; make a snnc\.Dataset"):
        snnc.evaluate(float_chain(sizes=(64, 20, 10)), data)


def test_a_config_of_another_stage_is_refused():
    pytest.importorskip("torch", reason="train needs torch")
    for config in (snnc.PruneConfig(connectivity=0.5), {"epochs": 1}):
        with pytest.raises(snnc.UsageError, match=f"^config={type(config).__name__} is no TrainConfig$"):
            snnc.train("digits", config=config)


@pytest.mark.parametrize("samples", [0, -1])
def test_no_samples_are_not_all_samples(samples):
    with pytest.raises(snnc.UsageError, match=f"{samples} samples cannot be compared"):
        snnc.verify(NET, "reference", inputs=spikes(NET), samples=samples)
    with pytest.raises(snnc.DataError, match=f"{samples} samples cannot be run"):
        snnc.evaluate(float_chain(sizes=(64, 20, 10)), "digits", samples=samples)


@pytest.mark.parametrize("noise", [0, 2, -0.1, float("nan")])
def test_noise_is_a_part(noise):
    with pytest.raises(snnc.UsageError, match="is no part of the slots; give more than 0 and at most 1"):
        snnc.verify(NET, "reference", noise=noise)


@pytest.mark.parametrize("wrong", [{"seed": -1}, {"steps": 0}])
def test_noise_has_a_seed_and_steps(wrong):
    with pytest.raises(snnc.UsageError, match=r"^(seed=-1 is no whole number from 0 on|steps=0 is no whole number from 1 on)$"):
        snnc.verify(NET, "reference", noise=0.5, **wrong)


@pytest.mark.parametrize("seed", [-1, "x", None, 0.5])
def test_a_seed_is_a_whole_number(seed):
    with pytest.raises(snnc.UsageError, match="is no whole number from 0 on"):
        snnc.map(NET, "loihi1", seed=seed)


def test_a_goal_is_text():
    with pytest.raises(snnc.UsageError, match=r"^goal=5 is no Goal or text$"):
        snnc.prune_to_fit(float_chain(), 5, "digits")


@pytest.mark.parametrize("read", [lambda: snnc.read("net.py:make"), lambda: snnc.read(object())])
def test_without_torch_no_module_is_read(read, monkeypatch):
    """As without the package: an import of it fails."""
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setitem(sys.modules, "snntorch", None)
    with pytest.raises(snnc.MissingDependencyError, match=r"reading a torch module needs snntorch; pip install '\.\[train\]'"):
        read()


def test_without_torch_its_classes_say_what_is_missing(monkeypatch):
    for name in ("snnc.training.pruning.pruned", "snnc.training.pruning.optimizer"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    for module, name in ((snnc, "PrunedModule"), (snnc.plugin, "PruningOptimizer")):
        with pytest.raises(snnc.MissingDependencyError, match=f"^{name} needs torch; snnc doctor says how"):
            getattr(module, name)


@pytest.mark.parametrize("target", ["nir", "netx"])
def test_without_h5py_no_hidden_folder_is_named(target, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(snnc.MissingDependencyError, match=r"^writing HDF5 needs h5py; pip install '\.\[exchange\]'$"):
        snnc.export(NET, target, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_a_library_that_memory_keeps_from_loading_is_not_a_missing_package(monkeypatch):
    from snnc.training.settings import must_have_torch

    real = __import__

    def load(name, *rest):
        if name == "snntorch":
            raise ImportError("libtorch_cpu.so: failed to map segment from shared object", name="_C")
        return real(name, *rest)

    monkeypatch.setattr("builtins.__import__", load)
    with pytest.raises(ImportError, match="failed to map segment"):
        must_have_torch()
