"""The chips that are shipped: their limits bind exactly, systems are their chip many times, and what a chip lacks is said."""

import json
import tomllib
from dataclasses import replace

import numpy as np
import pytest
from cases.boundary_networks import USING, full, joined, only_sparse
from cases.networks import fixed_chain, fixed_loops, float_chain
from cases.remedies import advised
from click.testing import CliRunner

from snnc import chips
from snnc.budget.check import check
from snnc.chips.schema import KEYS
from snnc.cli import main
from snnc.errors import DoesNotFitError, ProfileError, UnsupportedError
from snnc.mapping.capabilities import lacking
from snnc.mapping.legality import must_be_legal
from snnc.mapping.model import Core, Slice
from snnc.mapping.place import fill
from snnc.mapping.split import split
from snnc.mapping.usage import OverLimitError
from snnc.passes.quantise import QuantiseConfig, quantise

LARGEST = 200_000  # of what a test makes
PROFILES = [profile for profile in map(chips.load, chips.names()) if profile.fpga is None]
FOREIGN = [p for p in PROFILES if not p.neurons]
SYSTEMS = [p for p in PROFILES if p.family != p.name and p.storage == chips.load(p.family).storage]


def resources(part):
    return [pytest.param(p, r, id=f"{p.name}-{r}") for p in PROFILES for r in getattr(p, part)]


def test_every_resource_that_a_profile_can_name_has_a_network_at_its_limit():
    assert set(USING) == {*KEYS["limits"], *KEYS["totals"]}
    found = {r for p in PROFILES for r in (*p.limits, *p.totals)}
    assert found == set(USING)


@pytest.mark.parametrize("over", [-1, 0, 1])
@pytest.mark.parametrize(("profile", "resource"), resources("limits"))
def test_a_limit_of_a_core_binds_exactly(profile, resource, over):
    amount = profile.limits[resource] + over
    net, alone = USING[resource](amount, profile), replace(profile, limits={resource: amount - over}, totals={}, cores=1 << 20)
    alone = replace(alone, storage=only_sparse(profile.storage)) if resource == "synapse_words_per_axon" else alone
    slices = tuple(Slice(p.name, 0, p.size) for p in net.ordered if p.neuron)
    cores = fill(net, slices, alone)
    assert max(core.used[resource] for core in cores if core.slices[0].population == "core") == amount
    if over <= 0:
        must_be_legal(net, cores, alone)
        assert split(net, alone) == slices
        return
    with pytest.raises(OverLimitError, match=f"needs {amount} .* a core of {profile.name} has {amount - 1}"):
        must_be_legal(net, cores, alone)
    assert must_be_cut(net, alone, slices)


def must_be_cut(net, profile, slices):
    """Whether split makes more of the slices, or says that it cannot."""
    try:
        return len(split(net, profile)) > len(slices)
    except DoesNotFitError:
        return True


@pytest.mark.parametrize("over", [-1, 0, 1])
@pytest.mark.parametrize(("profile", "resource"), resources("totals"))
def test_a_limit_of_the_chip_binds_exactly(profile, resource, over):
    """Where no network of the chip's size can be made, the limit is set to what a small network uses."""
    limit = min(profile.totals[resource], LARGEST)
    net = USING[resource](limit + over, profile)
    bound = replace(profile, totals={resource: limit}, limits={}, cores=1 << 20)
    budget = check(net, bound)
    (usage,) = budget.totals
    assert (usage.resource, usage.used, usage.limit) == (resource, limit + over, limit)
    assert (usage.status == "ok") is (over <= 0) is budget.has_room
    if over > 0:
        assert budget.binding == usage
        with pytest.raises(OverLimitError, match=f"needs {limit + 1} "):
            must_be_legal(net, (), bound)


@pytest.mark.parametrize("over", [-1, 0, 1])
@pytest.mark.parametrize("profile", PROFILES, ids=lambda p: p.name)
def test_the_number_of_cores_binds_exactly(profile, over):
    net, bound = fixed_chain(), replace(profile, limits={}, totals={})
    cores = [Core(0, (), {})] * (profile.cores + over)
    if over <= 0:
        must_be_legal(net, cores, bound)
        return
    with pytest.raises(DoesNotFitError, match=f"needs {profile.cores + 1} cores, {profile.name} has {profile.cores}"):
        must_be_legal(net, cores, bound)


@pytest.mark.parametrize("over", [-1, 0, 1])
@pytest.mark.parametrize("profile", [p for p in PROFILES if p.neurons and p.delay_steps_max], ids=lambda p: p.name)
def test_the_longest_delay_binds_exactly(profile, over):
    net = fixed_chain()
    first, *others = net.connections
    late = replace(first, delay_steps=profile.delay_steps_max + 1 + over)  # the hop is one of these steps
    found = [line for line in lacking(replace(net, connections=(late, *others)), profile) if "delay" in line]
    assert bool(found) is (over > 0), found
    assert all(str(profile.delay_steps_max + over) in line for line in found)


@pytest.mark.parametrize("profile", SYSTEMS, ids=lambda p: p.name)
def test_a_system_is_its_chip_many_times(profile):
    chip = chips.load(profile.family)
    own = tomllib.loads((chips.folder() / f"{profile.name}.toml").read_text())
    changed = {f"{part}.{key}" for part, keys in own.items() if part not in ("title", "extends") for key in keys}
    assert {key for key, fact in profile.facts.items() if fact != chip.facts.get(key)} == changed
    assert len(changed) <= 2
    assert profile.cores == profile.chips * profile.facts["chip.cores"].value
    assert profile.limits == chip.limits
    for resource, limit in chip.totals.items():
        if f"totals.{resource}" not in changed:
            assert profile.totals[resource] == limit * (profile.chips if resource.endswith("_per_chip") else 1)


def test_the_same_chip_by_another_rule_differs_in_that_rule_alone():
    chip, other = chips.load("loihi1"), chips.load("loihi1_nxtf")
    changed = {key for key, fact in other.facts.items() if fact != chip.facts.get(key)}
    memory = {"limits.synapse_words_per_core", "limits.synapse_words_per_axon"}
    assert {key for key in changed if not key.startswith("storage.")} == memory | {"features.off_chip_axon_slots"}
    assert (other.cores, other.storage.model, other.limits["synapse_words_per_axon"]) == (128, "nxtf", 256)


def test_the_systems_that_are_published():
    assert {p.name: p.chips for p in SYSTEMS if p.family == "loihi1"} == {
        "kapoho_bay": 2, "wolf_mountain": 4, "nahuku": 32, "pohoiki_beach": 64, "pohoiki_springs": 768,
    }  # fmt: skip
    assert chips.load("hala_point").cores == 140_544
    assert chips.load("kapoho_bay").facts["chip.chips"].other_values == (1,)


@pytest.mark.parametrize("profile", FOREIGN, ids=lambda p: p.name)
def test_a_chip_with_other_dynamics_never_fits_and_says_why(profile):
    budget = check(fixed_chain(), profile)
    assert not budget.fits
    assert len(budget.problems) == 2
    assert all(profile.other_dynamics in problem for problem in budget.problems)
    json.dumps(budget.to_json())
    with pytest.raises(UnsupportedError, match="computes no neuron model of snnc"):
        quantise(float_chain(), profile, QuantiseConfig())


def test_the_chips_that_are_declared():
    assert {p.name for p in FOREIGN} == {
        "akd1000", "brainscales2", "dynapcnn", "speck2e", "speck2f", "spinnaker2", "truenorth",
    }  # fmt: skip
    assert "cannot hold LIF dynamics" in chips.load("akd1000").other_dynamics
    assert chips.load("dynapcnn").facts["totals.neurons_per_chip"].other_values == (1_000_000,)
    assert chips.load("spinnaker2").limits == {}


@pytest.mark.parametrize("profile", PROFILES, ids=lambda p: p.name)
def test_what_is_not_public_is_unknown_and_never_ok(profile):
    budget = check(fixed_chain(), profile)
    for resource in profile.not_public:
        if resource.endswith("_per_core"):
            shown = [u for x in (*budget.layers, *budget.cores) for u in x.uses if u.resource == resource]
            assert shown
            assert {u.status for u in shown} == {"unknown"}
            assert any("is not public" in line for line in budget.unknown)
    delayed = check(fixed_loops(), profile)
    assert any("delays: how long" in line for line in delayed.unknown) is (profile.delay_steps_max is None)


@pytest.mark.parametrize(("neurons", "systems"), [(700, ["loihi2", "loihi1"]), (150_000, ["loihi2", "kapoho_bay"])])
def test_remedies_name_the_smallest_system_of_a_chip_that_holds_it(neurons, systems):
    net = joined(("input", "output", full(neurons, 1)))
    small = replace(
        chips.load("loihi1"), name="small", limits={**chips.load("loihi1").limits, "neurons_per_core": neurons // 8}, cores=4
    )
    said = advised(net, small)
    assert [line.split()[0] for line in said if " holds it on " in line] == systems


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ('extends = "lohi1"', "extends 'lohi1', which is no profile of snnc's own; did you mean 'loihi1'?"),
        ("extends = 3", "extends 3, which is no profile"),
        ('extends = ["loihi1"]', "which is no profile"),
        ('extends = "kapoho_bay"', "extends 'kapoho_bay', which itself extends 'loihi1'; extend 'loihi1'"),
        ('extends = "loihi1"\nchip = 3', "chip = 3 is no table"),
        ('extends = "loihi1"\n[chip]\nchip = 3', "unknown key 'chip.chip'; did you mean 'chips'?"),
        ('extends = "loihi1"\n[chip]\nchips = 3', "chip.chips = 3 has no source"),
        ('extends = "loihi1"\n[mesh]\ntile_rows = { value = 1, confidence = "derived", source = "x" }', "has 32 places for 128"),
        (
            'extends = "truenorth"\n[features]\nneurons = { value = ["lif"], confidence = "derived", source = "x" }',
            "has no numeric",
        ),
        (
            'extends = "loihi1"\n[features]\nneurons = { value = [], confidence = "derived", source = "x" }',
            "features.neurons is [] without features.other_dynamics",
        ),
        (
            'extends = "loihi1"\n[features]\nother_dynamics = { value = " ", confidence = "derived", source = "x" }',
            "is ' ', expected a sentence",
        ),
        (
            'extends = "spinnaker2"\n[limits]\nweight_bytes_per_core = { value = 9, confidence = "derived", source = "x" }',
            "limits.weight_bytes_per_core is of no use without numeric.weight_bits",
        ),
    ],
)
def test_a_system_that_cannot_be_is_one_sentence(tmp_path, lines, message):
    path = tmp_path / "mine.toml"
    path.write_text(f'title = "mine"\n{lines}\n')
    done = CliRunner().invoke(main, ["profiles", "check", str(path)])
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    with pytest.raises(ProfileError):
        chips.load(path)


def test_a_chip_of_ones_own(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('title = "Mine"\nextends = "loihi1"\n[chip]\nchips = { value = 3, confidence = "derived", source = "me" }\n')
    done = CliRunner().invoke(main, ["profiles", "check", str(path)])
    assert done.exit_code == 0
    assert "is a profile: Mine; 58 entries" in done.stdout
    body = json.loads(CliRunner().invoke(main, ["profiles", "check", str(path), "--json"]).stdout)
    assert body["numbers"] == sum(body["confidence"].values()) == 58
    assert chips.load(path).cores == 384
    wrong = CliRunner().invoke(main, ["profiles", "check", str(tmp_path)])
    assert (wrong.exit_code, "is not named .toml" in wrong.stderr) == (2, True)


def test_the_sum_of_totals_is_that_of_the_masks():
    net = fixed_loops(3)
    bound = replace(chips.load("loihi1"), totals=dict.fromkeys(KEYS["totals"], 1 << 28))
    used = {u.resource: u.used for u in check(net, bound).totals}
    masks = {c.name: c.op.synapses.mask() for c in net.connections}
    into = {p.name: np.sum([masks[c.name].sum(1) for c in net.into(p.name)], axis=0) for p in net.populations if p.neuron}
    out = {p.name: np.sum([masks[c.name].sum(0) for c in net.out_of(p.name)], axis=0) for p in net.populations if p.neuron}
    hidden = [p.name for p in net.populations if p.neuron and p.name != "output"]
    among = [c for c in net.connections if c.src in hidden and c.dst in hidden]
    to_hidden = {name: np.sum([masks[c.name].sum(0) for c in among if c.src == name], axis=0) for name in hidden}
    assert used == {
        "neurons_per_chip": 25,
        "synapses_per_chip": sum(int(m.sum()) for m in masks.values()),
        "inputs_per_chip": 12,
        "outputs_per_chip": 5,
        "fan_in_per_neuron": max(int(n.max()) for n in into.values()),
        "fan_out_per_neuron": max(int(np.max(n)) for n in out.values()),
        "hidden_neurons_per_chip": 20,
        "hidden_synapses_per_chip": sum(int(masks[c.name].sum()) for c in among),
        "hidden_fan_out_per_neuron": max(int(n.max()) for n in to_hidden.values()),
        "neurons_within_input_reach_per_chip": 20,
        "neurons_within_readout_reach_per_chip": 20,
    }
