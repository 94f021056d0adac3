"""Inspecting: float -> integer -> float with the true errors; and the verbs `snnc inspect` and `snnc quantise`."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from cases.convolutions import convolutional, unrolled
from cases.networks import fixed_chain, fixed_dense, float_chain
from click.testing import CliRunner

from snnc import chips, store
from snnc.analysis.current_bounds import current_bound
from snnc.budget.check import check
from snnc.cli import main
from snnc.errors import NetworkError
from snnc.network.encoding import Encoding
from snnc.network.model import Connection
from snnc.neurons.cuba import Cuba
from snnc.passes.quantise import quantise, scales
from snnc.report.inspection import inspect

CHIP = chips.load("loihi1")


@pytest.fixture(scope="module")
def net():
    base = replace(float_chain(1, (64, 30, 10), density=0.4, model="cuba"), encoding=Encoding("rate", 8, 0))
    rng = np.random.default_rng(0)
    neuron = Cuba(0.777, rng.uniform(0.1, 0.9, 30), 0.1234, rng.uniform(-0.1, 0.1, 30))
    return replace(base, populations=tuple(replace(p, neuron=neuron) if p.name == "hidden1" else p for p in base.populations))


def test_errors_are_those_between_the_float_and_the_decoded_weights(net):
    fixed = quantise(net, CHIP)
    found = inspect(fixed, net)
    for facts, c, source in zip(found.connections, fixed.connections, net.connections, strict=True):
        scale = scales(fixed)[c.dst]
        error = np.abs(c.op.synapses.to_dense() * 2.0**c.op.exponent / scale - source.op.synapses.to_dense())
        assert facts.max_error == pytest.approx(error.max())
        assert facts.mean_error == pytest.approx(error.sum() / c.op.synapses.count)
        assert 0 < facts.mean_error < facts.max_error <= facts.half_step
        assert facts.synapses == source.op.synapses.count
        assert facts.kept_but_zero == (c.op.synapses.values == 0).sum()
        assert facts.parameter_connectivity == pytest.approx(c.op.synapses.mask().mean())


def test_every_parameter_goes_from_float_to_integer_and_back(net):
    fixed = quantise(net, CHIP)
    found = {f"{p.population}.{p.name}": p for p in inspect(fixed, net).parameters}
    assert len(found) == 8
    scale = scales(fixed)["hidden1"]
    for name, unit in (("threshold", scale), ("decay_u", 4096), ("decay_v", 4096), ("bias", 64 * scale)):
        before, after = getattr(net["hidden1"].neuron, name), getattr(fixed["hidden1"].neuron, name)
        facts = found[f"hidden1.{name}"]
        assert facts.before == (before.min(), before.max())
        assert facts.value == (after.min(), after.max())
        assert facts.decoded == pytest.approx((after.min() / unit, after.max() / unit))
        assert facts.max_error == pytest.approx(np.abs(after / unit - before).max())
        assert 0 < facts.max_error <= facts.half_step * (1 + 1e-9)


def test_check_inspect_and_the_network_count_synapses_alike():
    net = convolutional()
    unshared = {c.name: c for c in unrolled(net).connections}
    budgets = {c.connection: c for layer in check(net, CHIP).layers for c in layer.connections}
    for c, shown in zip(net.connections, inspect(net).connections, strict=True):
        for found in (shown, budgets[c.name]):
            assert found.operator == c.op.kind
            assert found.synapses == unshared[c.name].op.synapses.count
            assert found.parameter_connectivity == pytest.approx(c.op.synapses.mask().mean())
            assert found.synapse_connectivity == pytest.approx(found.synapses / c.op.possible_synapses)
        assert shown.stored_weights == budgets[c.name].weights == c.op.synapses.count
    assert inspect(net).synapse_connectivity != inspect(net).parameter_connectivity


def test_without_the_float_network_values_are_decoded_and_errors_unknown(net):
    found = inspect(quantise(net, CHIP))
    assert all(c.decoded and c.half_step and c.max_error is None for c in found.connections)
    assert all(p.decoded and p.half_step and p.before is None and p.max_error is None for p in found.parameters)


def test_the_reach_of_the_current_is_its_bound(net):
    fixed = quantise(net, CHIP)
    reach = {p.name: p.current_reach for p in inspect(fixed).populations}
    assert reach == {"input": None, **{name: bound.reach for name, bound in current_bound(fixed).items()}}


def test_hops_are_counted_where_a_chip_has_time_for_them():
    assert [p.hops for p in inspect(fixed_chain()).populations] == [0, 1, 2]
    net = fixed_chain()
    back = Connection("back", "output", "hidden1", fixed_dense(np.random.default_rng(0), 20, 5), 1)
    assert {p.hops for p in inspect(replace(net, connections=(*net.connections, back))).populations} == {None}


def test_float_and_hand_made_fixed_networks_can_be_inspected(net):
    assert inspect(net).connections[0].exponent is None
    assert inspect(net).numeric == "float"
    found = inspect(fixed_chain())
    assert found.connections[0].decoded is None
    assert found.numeric == "fixed (loihi1)"
    assert set(found.rules["lif"]) >= {"comparator", "reset", "reset_step", "order", "decay_rounding", "overflow"}


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (lambda net: quantise(net, CHIP), "is fixed-point itself"),
        (lambda net: float_chain(1, (64, 31, 10)), "has no connection 'fc1' of this shape"),
        (lambda net: float_chain(1, (64, 30, 10)), "has no population 'hidden1' of this kind"),
    ],
)
def test_another_network_is_refused_as_the_float_one(net, other, message):
    with pytest.raises(NetworkError, match=message):
        inspect(quantise(net, CHIP), other(net))


def run(*words):
    return CliRunner().invoke(main, [str(w) for w in words])


@pytest.fixture
def model(net, tmp_path):
    store.save(net, tmp_path / "float.snnc")
    return tmp_path / "float.snnc"


def test_the_verbs_write_and_show_the_same_network(model, net, tmp_path):
    out = tmp_path / "fixed.snnc"
    made = run("quantise", model, "--hw", "loihi1", "-o", out, "--json")
    assert made.exit_code == 0, made.stderr
    fixed = store.load(out)
    assert fixed.hash == quantise(net, CHIP).hash == json.loads(made.stdout)["network_hash"]
    shown = json.loads(run("inspect", out, "--against", model, "--json").stdout)
    assert shown["connections"] == json.loads(made.stdout)["connections"]
    assert shown["done"][-1]["name"] == "quantise"


def test_the_tables_read_for_a_person(model, tmp_path):
    out = tmp_path / "fixed.snnc"
    text = run("quantise", model, "--hw", "loihi1", "-o", out).stdout
    assert "hidden1.threshold" in text
    assert "kept but 0" in text
    shown = run("inspect", out).stdout
    assert "decay rounding" in shown
    assert "limited_by" in shown


def test_settings_reach_quantise(model, tmp_path):
    out = tmp_path / "fixed.snnc"
    assert run("quantise", model, "--hw", "loihi1", "--sign-mode", "mixed", "--negative-exponents", "-o", out).exit_code == 0
    fixed = store.load(out)
    assert fixed.done[-1].settings["negative_exponents"] is True


def test_nothing_is_overwritten_and_no_profile_guessed(model, tmp_path):
    taken = run("quantise", model, "--hw", "loihi1", "-o", model)
    assert (taken.exit_code, "exists already" in taken.stderr) == (2, True)
    unknown = run("quantise", model, "--hw", "loihi9", "-o", tmp_path / "x.snnc")
    assert unknown.exit_code == 2
    assert "did you mean 'loihi" in unknown.stderr
    twice = tmp_path / "fixed.snnc"
    run("quantise", model, "--hw", "loihi1", "-o", twice)
    again = run("quantise", twice, "--hw", "loihi1", "-o", tmp_path / "y.snnc")
    assert (again.exit_code, "fixed-point already" in again.stderr) == (2, True)


def test_fine_tuning_from_the_command_line(model, tmp_path):
    pytest.importorskip("torch", reason="torch is not installed")
    out = tmp_path / "tuned.snnc"
    result = run("quantise", model, "--hw", "loihi1", "-o", out, "--finetune-epochs", 1, "--finetune-lr", 0.02, "--json")
    assert result.exit_code == 0, result.stderr
    settings = json.loads(result.stdout)["finetune"]
    assert settings["epochs"] == 1
    assert "kept epoch" in result.stderr
    assert store.load(out).done[-1].name == "finetune"


def test_quantising_needs_no_torch(model, tmp_path):
    words = ["quantise", str(model), "--hw", "loihi1", "-o", str(tmp_path / "fixed.snnc"), "--json"]
    code = f"import sys; sys.modules['torch'] = None; from snnc.cli import main; main({words!r})"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
