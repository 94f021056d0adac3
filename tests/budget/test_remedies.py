"""What `check` advises is tried: the network so changed fits, and a little less change does not."""

import re
from dataclasses import replace

import numpy as np
import pytest
from cases.networks import fixed_chain, float_chain
from cases.remedies import advised
from hypothesis import given, settings
from tests.budget.test_check import CHIPS, NETWORKS

from snnc import chips
from snnc.budget.check import check
from snnc.budget.remedies import with_weights_of
from snnc.chips.schema import RESOURCES
from snnc.errors import DoesNotFitError
from snnc.mapping.choose import map_by
from snnc.mapping.task import Task
from snnc.passes.prune_by_magnitude import prune_by_magnitude

LOIHI1 = chips.load("loihi1")


def chip(cores, words):
    limits = dict(zip(RESOURCES, (1024, 4096, 4096, words), strict=True))
    return replace(LOIHI1, name="tiny", cores=cores, limits=limits)


def advice(net, profile, words):
    """The one sentence that says so; None without."""
    assert not check(net, profile).fits
    found = [remedy for remedy in advised(net, profile) if words in remedy]
    assert len(found) <= 1
    return found[0] if found else None


@pytest.mark.parametrize("make", [fixed_chain, float_chain])
@pytest.mark.parametrize(("cores", "words"), [(2, 80), (3, 80), (2, 125)])
def test_the_advised_weight_bits_fit_and_the_next_wider_field_does_not(make, cores, words):
    net, profile = make(0, (30, 40, 5), density=1.0), chip(cores, words)
    bits = int(re.match(r"fits with weights of (\d) bits, now 8: ", advice(net, profile, "weights of")).group(1))
    assert check(*with_weights_of(bits, net, profile)).fits
    wider = min(width for width in LOIHI1.storage.weight_field_bits if width > bits)
    assert not check(*with_weights_of(wider, net, profile)).fits


def test_weights_of_fewer_bits_are_those_weights_rounded():
    net = fixed_chain(0, (30, 40, 5), density=1.0)
    rounded, _ = with_weights_of(4, net, LOIHI1)
    for now, before in zip(rounded.connections, net.connections, strict=True):
        change = abs(now.op.synapses.values - before.op.synapses.values)
        assert 0 < change.max() <= 32  # mixed weights of 4 bits are multiples of 32; the last one, 224, is the end of the grid
        assert not (now.op.synapses.values % 32).any()


def test_bits_at_which_a_connection_is_gone_are_not_advised():
    net = fixed_chain(0, (30, 40, 5), density=1.0)
    connection = net.connections[0]
    faint = replace(connection, op=connection.op.with_values(np.full(connection.op.synapses.count, 2)))
    net = replace(net, connections=(faint, *net.connections[1:]))
    assert advice(net, chip(2, 80), "weights of") is None


def test_small_layers_that_share_a_core_are_advised_where_that_suffices():
    net, profile = fixed_chain(0, (12, 20, 5)), chip(1, 16384)
    assert advice(net, profile, "share") == "fits on 1 core if small layers share one: snnc map --hw tiny --strategy greedy"
    assert map_by(Task.of(net, profile), "greedy").cores == 1
    assert advice(net, chip(1, 30), "share") is None


@pytest.mark.parametrize("make", [fixed_chain, float_chain])
@pytest.mark.parametrize(("cores", "words"), [(2, 150), (6, 70)])
def test_the_connectivity_of_each_layer_that_is_advised_fits(make, cores, words):
    net, profile = make(0, (60, 40, 10), density=1.0), chip(cores, words)
    said = advice(net, profile, f"snnc prune --fit tiny:cores={cores}")
    parts = dict(re.findall(r"(\w+) ([\d.]+) %", said))
    assert parts.keys() == {"fc1", "fc2"}
    keep = {c.name: int(float(parts[c.name]) / 100 * c.op.parameters) for c in net.connections}
    assert map_by(Task.of(prune_by_magnitude(net, keep), profile), "greedy").cores <= cores
    assert check(prune_by_magnitude(net, keep), profile).fits is ("sharing a core" not in said)
    more = {name: min(kept * 5 // 4 + 1, net.connections[i].op.synapses.count) for i, (name, kept) in enumerate(keep.items())}
    with pytest.raises(DoesNotFitError):
        map_by(Task.of(prune_by_magnitude(net, more), profile), "greedy")


@settings(max_examples=8, deadline=None, derandomize=True)
@given(NETWORKS, CHIPS)
def test_whatever_does_not_fit_is_advised_in_sentences(net, profile):
    assert check(net, profile).fits or all(len(remedy) > 20 for remedy in advised(net, profile))


@pytest.mark.parametrize("own", [False, True])
def test_the_same_chip_counted_by_another_rule_is_no_remedy(tmp_path, own):
    path = tmp_path / "mine.toml"
    path.write_text('title = "x"\nextends = "loihi1_nxtf"\n[chip]\nchips = { value = 2, source = "t", confidence = "derived" }\n')
    profile = replace(chips.load(str(path) if own else "loihi1_nxtf"), cores=2)
    told = advised(fixed_chain(1, (12, 20, 8, 5)), profile)
    assert [line.split()[0] for line in told if "holds it" in line] == ["loihi2"]
