"""Exported programs hold their inputs to the budgets on which the range proof stands, and targets that cannot are refused."""

from dataclasses import replace

import numpy as np
import pytest
from cases.exported import export
from cases.networks import fixed_chain, fixed_neuron

from snnc import targets
from snnc.errors import SnncError, UnsupportedError
from snnc.importers import read
from snnc.network.model import Population
from snnc.network.op import MAX_SYNAPSES
from snnc.passes.limit import limited
from snnc.simulation.reference import simulate
from snnc.targets.target import names
from snnc.verification.compare import compare
from snnc.verification.prove import from_noise

BUDGET = 3
CHECKED = [name for name in names() if getattr(targets.load(name), "CHECKS_BUDGETS", False)]


def network():
    """Two inputs, one with a budget; LIF, which every target takes."""
    net = fixed_chain(0, (12, 20, 5), threshold=100)
    other = replace(net.connections[0], name="other", src="free")
    populations = (Population("free", (12,), None), *net.populations)
    return limited(replace(net, populations=populations, connections=(*net.connections, other)), {"input": BUDGET})


def test_which_targets_check():
    assert set(CHECKED) >= {"c", "npz", "onnx", "lava", "loihi", "sanafe", "verilog"}


SLOW = {"loihi"}  # runs the program of lava


@pytest.mark.parametrize("target", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in CHECKED])
def test_a_program_refuses_an_input_beyond_its_budget(target, tmp_path):
    net = network()
    artifact = export(target, net, tmp_path / "a")
    inputs = from_noise(net, 8, 0.6, 0)(0, 2)
    reference = simulate(net, inputs, record=True)
    verdict = compare(reference, targets.load(target).run(artifact, inputs, True, 120))
    assert verdict.exact
    assert np.count_nonzero(inputs["input"], axis=2).max() == BUDGET
    assert np.count_nonzero(inputs["free"], axis=2).max() > BUDGET
    silent = np.flatnonzero(inputs["input"][1, 5] == 0)
    inputs["input"][1, 5, silent] = 1
    with pytest.raises(SnncError, match=r"input '?input'?:? sends .*step (5|13) .*budget"):
        targets.load(target).run(artifact, inputs, True, 120)


def test_a_target_that_does_not_check_refuses_a_budget(tmp_path):
    net = limited(fixed_chain(0, (12, 20, 5)), {"input": BUDGET})
    assert "netx" not in CHECKED
    with pytest.raises(UnsupportedError, match=r"input 'input' has a budget of 3 messages a step.*does not check its inputs"):
        export("netx", net, tmp_path / "a")
    export("netx", fixed_chain(0, (12, 20, 5)), tmp_path / "b")


def test_a_plug_in_is_taken_not_to_check(tmp_path, monkeypatch):
    monkeypatch.delattr(targets.load("npz"), "CHECKS_BUDGETS")
    with pytest.raises(UnsupportedError, match="does not check its inputs"):
        export("npz", network(), tmp_path / "a")


def test_a_nir_file_keeps_the_budget(tmp_path):
    net = limited(fixed_chain(0, (12, 20, 5)), {"input": BUDGET})
    export("nir", net, tmp_path / "a")
    assert read(str(tmp_path / "a" / "network.nir")).network.hash == net.hash


def test_c_computes_nothing_of_a_step_beyond_the_budget(tmp_path):
    """With delays, too: what is refused is not remembered."""
    net = network()
    late = replace(net.connections[0], delay_steps=2)
    neuron = fixed_neuron("cuba")
    net = replace(
        net, connections=(late, *net.connections[1:]),
        populations=tuple(replace(p, neuron=neuron) if p.neuron else p for p in net.populations),
    )  # fmt: skip
    targets.load("c").export(net, None, tmp_path, MAX_SYNAPSES)
    step = (tmp_path / "snn.c").read_text().split("snn_step")[-1]
    assert step.index("return 2;") < step.index("current[i] = 0")
    assert "int32_t snn_step" in (tmp_path / "snn.h").read_text()
    export("c", fixed_chain(), tmp_path / "free")
    assert "void snn_step" in (tmp_path / "free" / "snn.h").read_text()
