"""From a budget to the connectivity of each layer: what is refused, that it fits by every limit, and what goes first."""

from dataclasses import replace

import numpy as np
import pytest
from cases.networks import fixed_chain, fixed_loops, float_chain

from snnc import chips
from snnc.budget.goal import Goal
from snnc.budget.measure import measure
from snnc.budget.plan import plan, uniform
from snnc.chips.schema import RESOURCES
from snnc.errors import ConfigError, DoesNotFitError, ProfileError, UsageError
from snnc.mapping.choose import map_by
from snnc.mapping.task import Task

LOIHI1 = chips.load("loihi1")


def goal(cores, words=150, axons=4096, **further):
    limits = dict(zip(RESOURCES, (1024, axons, 4096, words), strict=True))
    return Goal(replace(LOIHI1, name="tiny", limits=limits), {"cores": cores, **further})


def random_importance(net, seed=0):
    rng = np.random.default_rng(seed)
    return {c.name: rng.exponential(1.0, c.op.synapses.count) for c in net.connections}


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("loihi9:cores=2", ProfileError, "no hardware profile 'loihi9'; did you mean 'loihi2'"),
        ("loihi1", ConfigError, "is no CHIP:cores=N"),
        (":cores=2", ConfigError, "is no CHIP:cores=N"),
        ("loihi1:cores=0", ConfigError, "cores = '0' is no whole number above 0"),
        ("loihi1:cores=abc", ConfigError, "cores = 'abc' is no whole number above 0"),
        ("loihi1:cores=-1", ConfigError, "no whole number"),
        ("loihi1:cores=²", ConfigError, "no whole number"),
        ("loihi1:cores=", ConfigError, "no whole number"),
        ("loihi1:cores=" + "9" * 5000, ConfigError, "no whole number"),
        ("loihi1:core=2", ConfigError, "limits 'core'; did you mean 'cores'"),
        ("loihi1:cores=2,cores=3", ConfigError, "says cores twice"),
        ("loihi1:cores=129", ConfigError, "cores = 129, loihi1 has 128"),
        ("loihi1:chips=2", ConfigError, "chips = 2, loihi1 has 1"),
    ],
)
def test_what_is_no_goal_is_refused_in_a_sentence(text, error, says):
    with pytest.raises(error) as caught:
        Goal.parse(text)
    assert says in str(caught.value)
    assert len(str(caught.value)) < 5200


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("loihi1:cores=3", {"cores": 3}),
        ("loihi1:packets=5", {"cores": 128, "packets": 5}),
        ("nahuku:chips=2", {"cores": 256}),
        ("nahuku:chips=2, cores=100", {"cores": 100}),
    ],
)
def test_chips_are_cores(text, limits):
    assert Goal.parse(text).limits == limits


@pytest.mark.parametrize("make", [fixed_chain, float_chain, fixed_loops])
@pytest.mark.parametrize("spread", [plan, uniform])
@pytest.mark.parametrize("cores", [1, 2])
def test_a_plan_is_mapped_within_the_goal_and_leaves_little_room(make, spread, cores):
    net, asked = make(0, (60, 40, 10), density=1.0), goal(cores)
    found = spread(net, asked, random_importance(net))
    mapped = map_by(Task.of(found.net, asked.profile), "greedy")
    assert mapped.cores == found.uses["cores"] <= cores
    used = mapped.census.used["synapse_words_per_core"]
    assert used.max() <= 150
    assert used.sum() > 0.7 * 150 * cores


def test_a_plan_is_within_packets_too():
    net = float_chain(0, (60, 40, 10))
    dense, asked = measure(net, LOIHI1), goal(4, packets=80, words=1000)
    assert dense["packets"] == 100  # every source fires once and reaches its one core
    found = plan(net, asked, random_importance(net))
    assert found.uses["packets"] <= 80
    sources = sum(int(np.count_nonzero(c.op.fan_out())) for c in found.net.connections)
    assert sources <= 80
    assert asked.stricter(0.5).limits == {"cores": 4, "packets": 40}


def test_synapses_of_no_importance_go_first_and_the_least_important_next():
    net = float_chain(0, (60, 40, 10))
    importance = random_importance(net)
    dark = net.connections[0].op.synapses.indices < 20
    importance["fc1"][dark] = 0
    found = plan(net, goal(2), importance).net
    for before, after in zip(net.connections, found.connections, strict=True):
        kept = before.op.synapses.mask() & after.op.synapses.mask()
        flat = kept[before.op.synapses.rows, before.op.synapses.indices]
        assert flat.sum() == after.op.synapses.count > 0
        assert importance[before.name][flat].min() >= importance[before.name][~flat].max(initial=0)
    assert not (found.connections[0].op.synapses.indices < 20).any()


def test_what_is_precious_stays_and_less_is_lost_than_uniformly():
    net, asked = float_chain(0, (60, 40, 10)), goal(1, words=250)
    importance = random_importance(net)
    importance["fc2"] = importance["fc2"] * 100

    def left(found):
        return sum(np.sort(importance[c.name])[-c.op.synapses.count :].sum() for c in found.net.connections)

    planned, even = plan(net, asked, importance), uniform(net, asked, importance)
    assert planned.connectivity["fc2"] > 0.9 > 0.4 > planned.connectivity["fc1"]
    assert even.connectivity["fc1"] == pytest.approx(even.connectivity["fc2"], abs=0.01)
    assert left(planned) > 1.2 * left(even)


def test_what_holds_already_or_never_can_is_refused():
    net = float_chain(0, (60, 40, 10))
    with pytest.raises(UsageError, match="needs 1 core, which 9 cores of tiny hold already; ask for less"):
        plan(net, goal(9, words=16384), random_importance(net))
    with pytest.raises(DoesNotFitError, match=r"needs \d+ cores even with one synapse a neuron, asked for are 1 core of tiny"):
        plan(net, goal(1, words=10), random_importance(net))


def test_a_chip_whose_cores_are_bounded_in_axons_is_planned_for():
    net, asked = float_chain(0, (60, 40, 10)), goal(8, words=16384, axons=30)
    assert measure(net, asked.profile)["cores"] == float("inf")
    assert plan(net, asked, random_importance(net)).uses["cores"] <= 8
