"""Convolutions, pools and their delays in real Lava 0.10.0, where kernels are flipped and axes are in another order."""

import json
from dataclasses import replace

import numpy as np
import pytest
from cases.convolutions import convolutional
from cases.lava_graphs import run_all
from cases.networks import LOIHI, spikes

from snnc import store, targets
from snnc.cli import main
from snnc.network.model import Connection, Network, Population
from snnc.neurons.cuba import Cuba
from snnc.ops.conv2d import Conv2d
from snnc.simulation.reference import simulate
from snnc.verification.compare import compare

HERE = {
    # name: (source, kernel shape, sign mode, exponent, geometry)
    "asymmetric": ((3, 7, 4), (5, 3, 3, 2), "mixed", 0, {}),
    "stride": ((3, 9, 6), (4, 3, 3, 2), "mixed", 2, {"stride": (2, 1), "padding": (1, 0)}),
    "dilation": ((2, 8, 11), (4, 2, 2, 3), "mixed", 0, {"dilation": (3, 2), "padding": (0, 2), "stride": (1, 2)}),
    "groups": ((4, 6, 5), (6, 2, 2, 3), "mixed", 1, {"groups": 2}),
    "depthwise": ((5, 6, 5), (5, 1, 3, 2), "mixed", 3, {"groups": 5, "padding": (2, 1)}),
    "odd": ((4, 6, 5), (3, 4, 3, 2), "excitatory", 0, {}),
    "inhibitory": ((4, 6, 5), (3, 4, 3, 2), "inhibitory", 1, {}),
    "even": ((3, 6, 5), (3, 3, 3, 2), "mixed", -1, {}),  # shifted without rounding, as mixed weights are even
    "rounded": ((3, 6, 5), (3, 3, 3, 2), "mixed", -3, {}),  # has to be unrolled
    "a_row": ((3, 1, 20), (4, 3, 1, 5), "mixed", 0, {"padding": (0, 2), "stride": (1, 2)}),
    "wide": ((1, 2, 130), (2, 1, 2, 3), "mixed", 0, {}),
    "many_channels": ((130, 2, 2), (129, 130, 2, 2), "mixed", 0, {"padding": (1, 0)}),
}  # fmt: skip
CONFUSABLE = {  # whose axes can be mistaken for each other without an error
    "square": ((3, 3, 3), (5, 3, 2, 2), "mixed", 0, {}),
    "strides": ((3, 6, 6), (4, 3, 2, 2), "mixed", 0, {"stride": (2, 1)}),
}
BITS = {"stride": 3, "odd": 2}


def case(name):
    """A convolution whose neurons have biases, thresholds and memory, followed by one neuron that sees them all."""
    src, shape, sign_mode, exponent, geometry = {**HERE, **CONFUSABLE}[name]
    rng = np.random.default_rng(sum(map(ord, name)))
    step = {"mixed": 2, "excitatory": 1, "inhibitory": 1}[sign_mode]
    low, high = {"mixed": (-60, 70), "excitatory": (1, 90), "inhibitory": (-90, -1)}[sign_mode]
    kernel = rng.integers(low, high, shape) // step * step
    op = replace(Conv2d.from_kernel(kernel, src, **geometry), exponent=exponent, sign_mode=sign_mode)
    n = op.n_dst
    bias = rng.integers(-60, 60, n) * 64 + (30000 if sign_mode == "inhibitory" else 0)
    neuron = Cuba(rng.integers(20, 200, n), rng.choice([2000, 4096], n), 700, bias)
    populations = (Population("input", src, None, BITS.get(name, 0)), Population("hidden", op.dst_shape, neuron))
    return Network(name, populations, (Connection("conv", "input", "hidden", op),), 1e-3, LOIHI)


def rasters(net):
    rng = np.random.default_rng(1)
    p = net.inputs[0]
    busy = rng.random((2, 6, p.size)) < 0.4
    return {p.name: np.where(busy, rng.integers(1, 2 ** max(p.message_bits, 1), busy.shape), 0)}


def verdict_of(net, inputs, lava):
    return compare(simulate(net, inputs, record=True), lava)


@pytest.mark.lava
def test_every_geometry_is_exact(tmp_path):
    cases = [(net := case(name), rasters(net)) for name in HERE]
    for (net, inputs), lava in zip(cases, run_all(cases, tmp_path), strict=True):
        verdict = verdict_of(net, inputs, lava)
        assert verdict.exact, (net.name, verdict.first, verdict.silent)


@pytest.mark.lava
def test_pools_branches_and_delays_of_axons_and_synapses_are_exact(tmp_path):
    nets = [convolutional(seed=seed, delays=delays) for seed in (0, 1) for delays in (False, True)]
    cases = [(net, spikes(net, samples=3, rate=0.5)) for net in nets]
    for (net, inputs), lava in zip(cases, run_all(cases, tmp_path), strict=True):
        verdict = verdict_of(net, inputs, lava)
        assert verdict.exact, (net.name, verdict.first, verdict.silent)


PROGRAM_CHANGES = {
    "a kernel that is not flipped": ("[:, :, ::-1, ::-1]", "", "asymmetric"),
    "a kernel that is flipped along its rows only": ("[:, :, ::-1, ::-1]", "[:, :, ::-1]", "asymmetric"),
    "spikes read along the columns": (".transpose((2, 1, 0)).connect", ".connect", "square"),
    "currents written along the columns": ("a_out.transpose((2, 1, 0))", "a_out", "asymmetric"),
    "a stride of the other axis": ('process["stride"][::-1]', 'process["stride"]', "strides"),
    "messages taken for spikes": ('num_message_bits=process["num_message_bits"],', "", "odd"),
}


@pytest.mark.lava
@pytest.mark.parametrize("change", PROGRAM_CHANGES)
def test_a_wrong_convolution_is_found(change, tmp_path):
    old, new, name = PROGRAM_CHANGES[change]
    net = case(name)
    artifact = targets.export("lava", net, None, tmp_path / "a")
    program = (artifact.root / "run.py").read_text()
    assert old in program
    (artifact.root / "run.py").write_text(program.replace(old, new))
    lava = targets.load("lava").run(artifact, rasters(net), True, 60)
    assert verdict_of(net, rasters(net), lava).first is not None


def test_a_convolution_that_cannot_stay_one_says_so(tmp_path):
    """Only where shifting a sum of weights rounds it."""
    for name, unrolled in (("rounded", True), ("even", False), ("stride", False)):
        artifact = targets.export("lava", case(name), None, tmp_path / name)
        written = json.loads((artifact.root / "network.json").read_text())["connections"][0]
        assert [p["process"] for p in written["processes"]] == (["Sparse"] if unrolled else ["Conv"])
        expected = "Lava's Conv has no weight exponent, and its weights are no multiples of 8" if unrolled else None
        assert (written["operator"], written["unrolled"]) == ("conv2d", expected)


def test_unrolling_is_bounded_before_anything_is_made(tmp_path, capsys):
    net = case("rounded")
    store.save(net, tmp_path / "net.snnc")
    count = net.connections[0].op.synapse_count
    with pytest.raises(SystemExit) as end:
        main(["export", str(tmp_path / "net.snnc"), "-t", "lava", "-o", str(tmp_path / "a"), "--max-synapses", str(count - 1)])
    assert end.value.code == 3
    said = capsys.readouterr().err
    assert f"unroll to {count:,} synapses, at most {count - 1:,} are allowed" in said
    assert "connection 'conv': has to be unrolled, as Lava's Conv has no weight exponent" in said
    assert f"--max-synapses {count}" in said
    assert not (tmp_path / "a").exists()
    with pytest.raises(SystemExit) as end:
        main(["export", str(tmp_path / "net.snnc"), "-t", "lava", "-o", str(tmp_path / "a"), "--max-synapses", str(count)])
    assert end.value.code == 0
