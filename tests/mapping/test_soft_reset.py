"""Soft reset on Loihi 1: counted as compartments and a synapse to itself, refused all the same."""

from dataclasses import replace

import numpy as np
import pytest
from cases.boundary_networks import joined
from cases.mappings import STRATEGIES, chip, held, must_cover_once
from cases.networks import fixed_chain, float_chain
from click.testing import CliRunner

from snnc import chips, neurons, store
from snnc.budget.check import check
from snnc.chips.schema import DISTINCT, RESOURCES
from snnc.cli import main
from snnc.errors import DoesNotFitError
from snnc.mapping.chip_network import ChipNetwork
from snnc.mapping.chip_totals import totals
from snnc.mapping.choose import map_by
from snnc.mapping.legality import must_be_legal
from snnc.mapping.lower_bounds import lower_bounds
from snnc.mapping.meter import CoreMeter
from snnc.mapping.place import fill, place
from snnc.mapping.repair import repaired
from snnc.mapping.soft_reset import compartments, with_resets
from snnc.mapping.split import split
from snnc.mapping.task import Task
from snnc.network.synapses import Synapses
from snnc.ops.dense import Dense

LOIHI1, LOIHI2 = chips.load("loihi1"), chips.load("loihi2")
TELLS_NOTHING = replace(LOIHI1, name="silent", soft_reset_compartments=None)
MAKE = [fixed_chain, float_chain]


def used(net, profile=LOIHI1):
    """Of each population on one core, by resource."""
    return {layer.population: {u.resource: u.used for u in layer.uses} for layer in check(net, profile).layers}


@pytest.mark.parametrize("make", MAKE)
def test_a_neuron_takes_two_compartments_and_a_synapse_to_itself(make):
    hard, soft = (used(make(0, (12, 20, 5), model=model)) for model in ("cuba", "cuba_subtract"))
    for name, n in (("hidden1", 20), ("output", 5)):
        more = {resource: soft[name][resource] - hard[name][resource] for resource in hard[name]}
        assert more == dict.fromkeys(RESOURCES, n) | dict.fromkeys(DISTINCT, 0) | {DISTINCT[2]: 1}


def test_numbers_whose_weights_have_negative_exponents_only():
    """As Xylo's: the synapse of the reset is as strong as the weights allow."""
    net = fixed_chain(0, (12, 20, 5), model="cuba_subtract")
    fine = tuple(replace(c, op=replace(c.op, exponent=-2)) for c in net.connections)
    net = replace(net, connections=fine, numeric=replace(net.numeric, weight_exponent_max=-2, weight_exponent_min=-8))
    resets = [c for c in with_resets(net, LOIHI1).connections if c.name.startswith("reset")]
    assert [c.op.exponent for c in resets] == [-2, -2]
    assert all((c.op.synapses.to_dense().diagonal() < 0).all() for c in resets)


@pytest.mark.parametrize(("limit", "cores"), [(39, [2, 1]), (40, [1, 1]), (41, [1, 1]), (2, [20, 5])])
def test_compartments_bind_exactly(limit, cores):
    net, profile = fixed_chain(0, (12, 20, 5), model="cuba_subtract"), chip(neurons=limit)
    budget = check(net, profile)
    assert [layer.cores for layer in budget.layers] == cores
    assert max(u.used for core in budget.cores for u in core.uses if u.resource == "neurons_per_core") <= limit
    (whole,) = {u.limit for core in budget.cores for u in core.uses if u.resource == "neurons_per_core"}
    assert whole == limit
    with pytest.raises(DoesNotFitError, match="needs 2 neurons, a core of tiny has 1"):
        split(net, chip(neurons=1))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_counts_them(strategy):
    net, profile = fixed_chain(3, (12, 40, 30, 5), model="cuba_subtract"), chip(neurons=24)
    task = Task.of(net, profile)
    mapped = map_by(task, strategy)
    must_cover_once(net, mapped.mapping.cores)
    must_be_legal(net, mapped.mapping.cores, profile)
    for core in mapped.mapping.cores:
        mine = {p.name: held(core, p.name) for p in net.populations if p.neuron}
        neurons_ = sum(map(len, mine.values()))
        into = [int(c.op.synapses.mask()[mine[c.dst]].any(axis=0).sum()) for c in net.connections]
        assert core.used["neurons_per_core"] == 2 * neurons_ <= 24
        assert core.used["input_axons_per_core"] == sum(into) + neurons_
    assert mapped.cores >= lower_bounds(task).cores >= 2 * 75 / 24


def test_a_neuron_of_which_no_core_holds_the_compartments_ends_every_repair():
    task = Task.of(fixed_chain(0, (12, 20, 5), model="cuba_subtract"), chip(neurons=1))
    with pytest.raises(DoesNotFitError, match="25 neurons need more than a core of tiny has"):
        repaired(task, {"hidden1": np.arange(20), "output": np.arange(20, 25)})


@pytest.mark.parametrize("make", MAKE)
def test_the_synapse_takes_the_threshold_away(make):
    net = make(0, (12, 6, 5), model="cuba_subtract")
    thresholds = (np.array([1, 254, 255, 300, 40000, 99999]) / (1 if make is fixed_chain else 1e4)).astype(net.numeric.dtype)
    hidden = replace(net["hidden1"], neuron=replace(net["hidden1"].neuron, threshold=thresholds))
    net = replace(net, populations=(net.populations[0], hidden, net.populations[2]))
    (connection, _) = with_resets(net, LOIHI1).connections[2:]
    assert (connection.src, connection.dst, connection.delay_steps) == ("hidden1", "hidden1", 1)
    assert (connection.op.synapses.mask() == np.eye(6)).all()
    away = -connection.op.synapses.values * 2.0**connection.op.exponent
    step = 2.0**connection.op.exponent
    most = 255 << 7 if make is fixed_chain else np.inf  # of an 8-bit weight with the chip's largest exponent
    assert (np.abs(away - np.minimum(thresholds, most)) <= (step if make is fixed_chain else 0)).all()
    if make is fixed_chain:
        assert connection.op.exponent == 7
        assert away[0] == step


def test_who_computes_it_or_does_not_tell_is_charged_nothing():
    net = fixed_chain(0, (12, 20, 5), model="cuba_subtract")
    knows = replace(LOIHI1, neurons=("cuba_subtract",))
    assert with_resets(net, knows) is net
    assert check(net, knows).fits
    profiles = (LOIHI1, LOIHI2, knows, TELLS_NOTHING)
    assert [compartments(p, profile) for profile in profiles for p in net.populations[1:2]] == [2, 1, 1, 1]
    assert not any("soft reset" in line for profile in (LOIHI1, LOIHI2) for line in check(net, profile).unknown)
    silent = [line for line in check(net, TELLS_NOTHING).unknown if "soft reset" in line]
    assert silent[0] == "neurons: what a neuron with soft reset, as in population 'hidden1', takes of silent is not public"


def test_a_chip_that_can_be_programmed_for_it_takes_it_and_the_rest_is_unknown():
    for model in LOIHI2.programmable_neurons:
        net = fixed_chain(0, (12, 20, 5), model=model)
        budget = check(net, LOIHI2)
        assert budget.fits
        line = f"neurons: what neurons {model!r}, which loihi2 has to be programmed for, take of a core is not public"
        assert line in budget.unknown
        assert not check(net, LOIHI1).fits
    assert not any("programmed" in line for line in check(fixed_chain(0, (12, 20, 5)), LOIHI2).unknown)


def test_only_what_is_missing_is_added_and_only_once():
    net = fixed_chain(0, (12, 20, 5), model="cuba_subtract")
    once = with_resets(net, LOIHI1)
    assert [c.name for c in once.connections] == ["fc1", "fc2", "reset1_hidden1", "reset2_output"]
    assert with_resets(once, LOIHI1) is once
    assert fill(net, split(net, LOIHI1), LOIHI1) == fill(once, split(once, LOIHI1), LOIHI1)
    plain = fixed_chain(0, (12, 20, 5))
    assert with_resets(plain, LOIHI1) is plain


@pytest.mark.parametrize("make", [ChipNetwork, CoreMeter, lambda net, chip: Task(net, chip, {}, 0)])
def test_no_network_on_a_chip_is_without_them(make):
    net = fixed_chain(0, (12, 20, 5), model="cuba_subtract")
    on_chip = make(net, LOIHI1)
    assert [c.name for c in on_chip.net.connections] == ["fc1", "fc2", "reset1_hidden1", "reset2_output"]
    assert make(net, LOIHI2).net is net
    assert replace(on_chip, profile=replace(LOIHI1, name="other")).net is on_chip.net


def test_totals_count_them():
    bound = replace(LOIHI1, totals={"neurons_per_chip": 100, "synapses_per_chip": 1000})
    net = fixed_chain(0, (12, 20, 5), model="cuba_subtract", density=1.0)
    assert {u.resource: u.used for u in totals(net, bound)} == {"neurons_per_chip": 50, "synapses_per_chip": 340 + 25}


def test_check_counts_and_refuses_in_one_breath(tmp_path):
    path = tmp_path / "soft.snnc"
    store.save(fixed_chain(0, (12, 20, 5), model="cuba_subtract"), path)
    done = CliRunner().invoke(main, ["check", str(path), "--hw", "loihi1"])
    assert (done.exit_code, "40/1,024" in done.stdout) == (4, True)
    assert (
        "built with 2 compartments and a synapse to itself for each neuron, is counted in the budget, but no model" in done.stdout
    )
    assert "reset1_hidden1" not in done.stdout.partition("connectivity")[2].partition("per core")[0]
    assert CliRunner().invoke(main, ["map", str(path), "--hw", "loihi1"]).exit_code == 4
    small = tmp_path / "small.toml"
    cores = 'cores = { value = 1, confidence = "derived", source = "a test" }'
    small.write_text(f'title = "small"\nextends = "loihi1"\n[chip]\n{cores}\n')
    done = CliRunner().invoke(main, ["check", str(path), "--hw", str(small)])
    assert (done.exit_code, "fits on 1 core if small layers share one" in done.stdout) == (3, True)


def test_long_names_stay_apart():
    names = [f"{'n' * 62}{i}" for i in range(2)]
    one = Dense(Synapses.from_dense(np.ones((3, 3))))
    net = joined(("input", names[0], one), (names[0], names[1], one))
    soft = neurons.get("cuba_subtract").example()
    net = replace(net, populations=tuple(replace(p, neuron=p.neuron and soft) for p in net.populations))
    assert len({c.name for c in with_resets(net, LOIHI1).connections}) == 4
    assert len(place(net, split(net, LOIHI1), LOIHI1).cores) == 2
