"""Output axons: a slot each, and one more to another chip where the profile says so, in every place that counts them."""

import json
from dataclasses import replace

import pytest
from cases.boundary_networks import full, joined
from cases.mappings import STRATEGIES
from cases.networks import fixed_chain, fixed_loops

from snnc import chips
from snnc.budget.check import check
from snnc.budget.measure import measure
from snnc.errors import DoesNotFitError
from snnc.mapping.choose import map_by
from snnc.mapping.legality import must_be_legal
from snnc.mapping.mapping_file import read_mapping
from snnc.mapping.model import Slice
from snnc.mapping.place import fill, place
from snnc.mapping.split import split
from snnc.mapping.task import Task, of_slices
from snnc.mapping.usage import OverLimitError

SENT = "output_axons_per_core"


def system(tmp_path, cores, chip_count, sends):
    """Chips with NxTF's rule, as a profile of one's own says it."""
    path = tmp_path / "mine.toml"
    lines = {"chip": {"cores": cores, "chips": chip_count}, "limits": {SENT: sends, "neurons_per_core": 20}}
    entry = '{{ value = {}, confidence = "derived", source = "a test" }}'
    tables = [f"[{t}]\n" + "\n".join(f"{k} = {entry.format(v)}" for k, v in keys.items()) for t, keys in lines.items()]
    path.write_text('title = "Mine"\nextends = "loihi1_nxtf"\n' + "\n".join(tables))
    return chips.load(path)


def slots_by_hand(net, profile, core_of, places):
    """(cores,): a slot for each neuron and core that it reaches by a connection, two if that core is on another chip."""
    chip = [place // (profile.cores // profile.chips) for place in places]
    used = [0] * len(places)
    for c in net.connections:
        mask = c.op.unrolled().mask()
        for source in range(c.op.n_src) if c.src in core_of else ():
            here = core_of[c.src][source]
            used[here] += sum(1 + (chip[there] != chip[here]) for there in set(core_of[c.dst][mask[:, source]].tolist()))
    return used


@pytest.mark.parametrize("over", [-1, 0, 1])
@pytest.mark.parametrize(("cores", "chip_count", "slots"), [(2, 1, 20), (1, 2, 40)])
def test_an_output_axon_to_another_chip_takes_two_slots(tmp_path, cores, chip_count, slots, over):
    """20 neurons reach 20 on the next core: 20 slots on one chip, 40 on two."""
    net = joined(("input", "core", full(20, 1)), ("core", "output", full(20, 20)))
    profile = system(tmp_path, cores, chip_count, slots - over)
    whole = fill(net, [Slice("core", 0, 20), Slice("output", 0, 20)], profile)
    assert [core.used[SENT] for core in whole] == [slots, 0]
    assert check(net, profile).fits is (over <= 0)
    if over <= 0:
        must_be_legal(net, whole, profile)
        assert map_by(Task.of(net, profile), "sequential").cores == 2
        return
    with pytest.raises(OverLimitError, match=f"core 0: needs {slots} output axons, a core of mine has {slots - 1}"):
        must_be_legal(net, whole, profile)


NETWORKS = {  # the slots of a core, and whether they are too few for the slices of one chip
    "chain": (lambda: fixed_chain(1, (12, 60, 70, 30), density=0.5), 50, True),
    "loops": (lambda: fixed_loops(1, (12, 60, 30)), 200, False),
}


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("cores", [3, 9, 60])
def test_cores_are_cut_where_axons_to_other_chips_take_too_many_slots(tmp_path, strategy, name, cores):
    """Of a chip: too few for the network, as many as its neurons alone need and not its axons, and plenty."""
    make, sends, _ = NETWORKS[name]
    net, profile = make(), system(tmp_path, cores, 20, sends)
    mapping = map_by(Task.of(net, profile), strategy).mapping  # held against every limit
    core_of = of_slices(Task.of(net, profile), tuple(core.slices for core in mapping.cores))
    expected = slots_by_hand(net, profile, core_of, [core.index for core in mapping.cores])
    assert [core.used[SENT] for core in mapping.cores] == expected
    assert 0.45 * sends <= max(expected) <= sends  # the limit matters: half of it is used, or nearly
    path = tmp_path / "mapping.json"
    path.write_text(json.dumps(mapping.to_json()))
    assert read_mapping(path, net, profile).cores == mapping.cores


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("cores", [3, 9, 60])
def test_what_check_accepts_is_placed(tmp_path, name, cores):
    make, sends, binds = NETWORKS[name]
    net, profile = make(), system(tmp_path, cores, 20, sends)
    assert check(net, profile).fits
    slices = split(net, profile)
    mapping = place(net, slices, profile)
    core_of = of_slices(Task.of(net, profile), tuple((core_slice,) for core_slice in slices))
    assert [core.used[SENT] for core in mapping.cores] == slots_by_hand(net, profile, core_of, range(len(slices)))
    assert (len(slices) > len(split(net, system(tmp_path, 60, 1, sends)))) is (binds and cores < 60)


@pytest.mark.parametrize("strategy", ["sequential", "greedy"])
def test_cores_lie_in_order_where_they_fit_in_no_other_way(tmp_path, strategy):
    """Most axons of loops stay on their chip: cut as if none did, the network takes more cores than there are."""
    net, profile = fixed_loops(52276, (14, 30, 8), density=0.4), system(tmp_path, 3, 2, 112)
    limits = {**profile.limits, "neurons_per_core": 78, "input_axons_per_core": 64}
    profile = replace(profile, limits=limits, off_chip_axon_slots=3)
    assert check(net, profile).fits
    mapping = map_by(Task.of(net, profile), strategy).mapping
    assert [core.index for core in mapping.cores] == list(range(6))
    assert max(core.used[SENT] for core in mapping.cores) == 112


def test_slices_in_order_fit_where_most_axons_stay_on_their_chip(tmp_path):
    """Where two axons of each neuron end on its chip, 40 slots do; as if they went to the other one they would take 80."""
    twice = [(src, dst, full(20, 20)) for src, dst in (("a", "b"), ("b", "c"), ("c", "output")) for _ in range(1 + (src != "b"))]
    net = joined(("input", "a", full(20, 1)), *twice)
    profile = system(tmp_path, 2, 2, 40)
    assert check(net, profile).fits
    mapping = map_by(Task.of(net, profile), "sequential").mapping
    assert [core.used[SENT] for core in mapping.cores] == [40, 40, 40, 0]


@pytest.mark.parametrize("strategy", ["greedy", "patches", "sequential"])
def test_an_axon_of_more_slots_than_a_core_has_stays_on_its_chip(tmp_path, strategy):
    net = joined(("input", "a", full(1, 1)), ("a", "output", full(20, 1)))
    assert map_by(Task.of(net, system(tmp_path, 2, 2, 1)), strategy).cores <= 2
    far = joined(("input", "a", full(1, 1)), ("a", "output", full(40, 1)))
    with pytest.raises(DoesNotFitError, match="a core of mine has"):
        map_by(Task.of(far, system(tmp_path, 1, 3, 1)), strategy)


@pytest.mark.parametrize("cores", [3, 9])
def test_what_is_planned_with_is_what_is_mapped(tmp_path, cores):
    """`snnc prune --fit` counts cores by `measure`, and ends with a mapping that has no more."""
    net, profile = NETWORKS["chain"][0](), system(tmp_path, cores, 20, 50)
    assert measure(net, profile)["cores"] == map_by(Task.of(net, profile), "greedy").cores > 9


def test_a_profile_may_extend_one_that_is_no_system(tmp_path):
    profile = system(tmp_path, 3, 2, 100)
    assert (profile.cores, profile.storage, profile.off_chip_axon_slots) == (6, chips.load("loihi1_nxtf").storage, 2)
    assert profile.facts["numeric.weight_bits"] == chips.load("loihi1").facts["numeric.weight_bits"]
