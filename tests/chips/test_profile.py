"""Hardware profiles: what is shipped, and what a hostile file gets."""

import tomllib
from copy import deepcopy

import numpy as np
import pytest
from cases.memory import words_by_format
from click.testing import CliRunner

from snnc import chips
from snnc.chips.memory import Axons, Storage
from snnc.chips.schema import CONFIDENCES, DISTINCT, KEYS
from snnc.cli import main
from snnc.errors import ProfileError

LOIHI1 = tomllib.loads((chips.folder() / "loihi1.toml").read_text())
NENGO = chips.load("loihi1").storage


def totals_of(rule, synapses, *args, **more):
    """The words in each format of axons with so many synapses, to the first neurons of a core."""
    return {form: w.total for form, w in words_by_format(rule, Axons.alone(synapses), *args, **more).items()}


def changed(path, value):
    """The table of loihi1 with one value replaced, or taken away (None). ``path``: "table.key.field"."""
    table = deepcopy(LOIHI1)
    *parts, last = path.split(".")
    inside = table
    for part in parts:
        inside = inside.setdefault(part, {})
    if value is None:
        del inside[last]
    else:
        inside[last] = value
    return table


@pytest.mark.parametrize("name", chips.names())
def test_every_number_of_a_shipped_profile_has_a_source(name):
    profile = chips.load(name)
    table = tomllib.loads((chips.folder() / f"{name}.toml").read_text())
    entries = {f"{part}.{key}" for part, keys in table.items() if part not in ("title", "extends") for key in keys}
    assert set(profile.facts) >= entries
    assert ("extends" in table) or set(profile.facts) == entries
    assert len(profile.facts) >= 7
    for fact in profile.facts.values():
        assert fact.source
        assert fact.confidence in CONFIDENCES
        assert bool(fact.other_values) == (fact.confidence == "disputed")
    assert not profile.neurons or profile.fixed().profile == name


def test_loihi1_holds_the_published_limits():
    profile = chips.load("loihi1")
    assert profile.cores == 128
    assert dict(profile.limits) == {
        "neurons_per_core": 1024,
        "input_axons_per_core": 4096,
        "output_axons_per_core": 4096,
        "synapse_words_per_core": 16384,
        "neuron_configurations_per_core": 31,
        "threshold_configurations_per_core": 7,
        "synapse_configurations_per_core": 7,
    }
    for resource in DISTINCT:  # where sources contradict each other, the limit is one that all of them accept
        fact = profile.facts[f"limits.{resource}"]
        assert fact.confidence == "disputed"
        assert fact.value < min(fact.other_values)
    assert not profile.graded_spikes
    assert profile.not_public == ()
    assert profile.fixed().weight_exponent_min == -8


def test_loihi2_says_what_is_not_public():
    profile = chips.load("loihi2")
    assert profile.cores == 120
    assert profile.facts["chip.cores"].other_values == (128, 122)
    assert profile.storage is None
    assert profile.not_public == ("input_axons_per_core", "output_axons_per_core", "synapse_words_per_core", "storage")
    assert profile.graded_spikes


PROGRAMMED = {"value": ["cuba", "resonate"], "source": "x", "confidence": "derived"}


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("title", None, "has no title"),
        ("title", 3, "has no title"),
        ("chip.cores.value", -1, "chip.cores is -1, expected 1 to 1048576"),
        ("chip.cores.value", 10**18, "chip.cores is 1000000000000000000, expected 1 to 1048576"),
        ("chip.cores.value", 128.0, "chip.cores is 128.0, expected a whole number"),
        ("chip.cores.value", True, "chip.cores is True, expected a whole number"),
        ("chip.cores.value", "128", "chip.cores is '128', expected a whole number"),
        ("chip.cores.value", None, "chip.cores has no value"),
        ("chip.cores", 128, "chip.cores = 128 has no source"),
        ("chip", 128, "chip = 128 is no table"),
        ("chip.cores", None, "has no chip.cores"),
        ("limits.neurons_per_core.value", 0, "limits.neurons_per_core is 0, expected 1 to"),
        ("limits.neurons_per_core.value", float("nan"), "expected a whole number"),
        ("limits.neurons_per_core.source", None, "limits.neurons_per_core has no source"),
        ("limits.neurons_per_core.source", " ", "limits.neurons_per_core has an empty source"),
        ("limits.neurons_per_core.confidence", None, "limits.neurons_per_core has no confidence"),
        ("limits.neurons_per_core.confidence", "sure", "has confidence 'sure'; use one of: primary"),
        ("limits.neurons_per_core.confidence", "disputed", "list other_values"),
        ("limits.neurons_per_core.other_values", [7], "list other_values"),
        ("limits.neurons_per_core.values", 7, "unknown key 'limits.neurons_per_core.values'; did you mean 'value'?"),
        ("limits.neuron_per_core", {}, "unknown key 'limits.neuron_per_core'; did you mean 'neurons_per_core'?"),
        ("limit", {}, "unknown key 'limit'; did you mean 'limits'?"),
        ("features.graded_spikes.value", 0, "features.graded_spikes is 0, expected true or false"),
        ("features.graded_spikes.value", True, "graded_spikes is True with features.message_bits_max 0"),
        ("features.neurons.value", ["lif", "izhikevich"], "is 'izhikevich', expected one of"),
        ("features.neurons.value", [], "features.neurons is [] without features.other_dynamics; name the models"),
        ("features.programmable_neurons", PROGRAMMED, "features.neurons and features.programmable_neurons both have 'cuba'"),
        ("features.neurons.value", ["lif", "lif"], "expected different words"),
        ("features.neurons.value", [["lif"]], "expected one of"),
        ("numeric.state_bits.value", 64, "numeric.state_bits is 64, expected 2 to 32"),
        ("numeric.weight_bits", None, "has no numeric.weight_bits"),
        ("numeric.weight_exponent_min.other_values", [3], "numeric.weight_exponent_min is 3, expected -9 to 0"),
        ("storage.weight_field_bits.value", [8, 4], "expected ascending numbers"),
        ("storage.weight_field_bits.value", [1, 4], "numeric.weight_bits is 8, storage.weight_field_bits end at 4"),
        ("storage.index_field_bits.value", 6, "expected a list of whole numbers"),
        ("storage.model.value", "mine", "storage.model is 'mine', expected one of: nengo-loihi"),
        ("storage.model", None, "has no storage.model"),
        ("storage.entry_synapses_max.value", 0, "storage.entry_synapses_max is 0"),
        ("storage.model.value", "nxtf", "storage.model 'nxtf' needs storage.axon_end_bits"),
        (
            "storage.skip_field_bits",
            {"value": [2], "source": "x", "confidence": "derived"},
            "storage.model 'nengo-loihi' does not read storage.skip_field_bits; leave it out",
        ),
        ("storage.formats.value", ["run-length"], "'nengo-loihi' has no format 'run-length'; use some of: sparse, dense"),
    ],
)  # fmt: skip
def test_an_impossible_profile_is_one_sentence(path, value, message):
    with pytest.raises(ProfileError) as caught:
        chips.from_table("chip", changed(path, value), where="chip.toml")
    assert message in str(caught.value)
    assert str(caught.value).startswith("chip.toml: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", sorted(f"{part}.{key}" for part, keys in KEYS.items() for key in keys))
def test_every_key_of_a_profile_is_checked(key):
    absurd = {"value": -(10**18), "source": "invented", "confidence": "derived"}
    with pytest.raises(ProfileError, match=key.replace(".", r"\.")):
        chips.from_table("chip", changed(key, absurd), where="chip.toml")


def test_a_profile_is_found_by_file(tmp_path):
    path = tmp_path / "mychip.toml"
    path.write_bytes((chips.folder() / "loihi2.toml").read_bytes())
    assert chips.load(path).name == "mychip"
    assert chips.load(str(path)).fixed().profile == "mychip"


def test_files_that_are_no_profile(tmp_path):
    with pytest.raises(ProfileError, match="no hardware profile 'lohi1'; did you mean 'loihi1'"):
        chips.load("lohi1")
    with pytest.raises(ProfileError, match="No such file"):
        chips.load(tmp_path / "missing.toml")
    (tmp_path / "bad.toml").write_bytes(b"\xff\x00 = [")
    with pytest.raises(ProfileError, match="is not TOML"):
        chips.load(tmp_path / "bad.toml")
    (tmp_path / "big.toml").write_bytes(b"#" * (1 << 21))
    with pytest.raises(ProfileError, match="2097152 bytes"):
        chips.load(tmp_path / "big.toml")


@pytest.mark.parametrize(
    ("synapses", "sparse", "dense", "delayed"),
    [(1, 64, 64, 64), (3, 64, 64, 128), (10, 192, 128, 256), (64, 1216, 576, 1600),
     (256, 4864, 2304, 6400), (1024, 19456, 9216, 25600)],
)  # fmt: skip
def test_bits_of_one_axon_are_those_of_nengo_loihi(synapses, sparse, dense, delayed):
    """8-bit weights, 10-bit indices, 6-bit delays; worked by hand from bits_per_axon in nengo_loihi/block.py."""
    axon = np.array([synapses])
    assert totals_of(NENGO, axon, 1024, 8)["sparse"] * 64 == sparse
    assert totals_of(NENGO, axon, synapses, 8)["dense"] * 64 == dense
    assert totals_of(NENGO, axon, 1024, 8, delay_bits=6)["sparse"] * 64 == delayed


@pytest.mark.parametrize(("synapses", "sparse", "dense"), [(64, 862, 1820), (256, 215, 455), (1024, 53, 113)])
def test_axons_that_fit_a_core_of_loihi1(synapses, sparse, dense):
    limit = chips.load("loihi1").limits["synapse_words_per_core"]
    assert limit // totals_of(NENGO, np.array([synapses]), 1024, 8)["sparse"] == sparse
    assert limit // totals_of(NENGO, np.array([synapses]), synapses, 8)["dense"] == dense


@pytest.mark.parametrize(("neurons", "density"), [(256, 0.527), (512, 0.5), (1024, 0.475)])
def test_sparse_storage_takes_no_more_than_dense_up_to_about_half_density(neurons, density):
    kept = np.arange(1, neurons + 1)
    words = [totals_of(NENGO, np.array([k]), neurons, 8) for k in kept]
    most = max(k for k, w in zip(kept, words, strict=True) if w["sparse"] <= w["dense"])
    assert round(most / neurons, 3) == density


def test_words_equal_a_loop_over_entries():
    rng = np.random.default_rng(0)
    for _ in range(200):
        rule = Storage(
            "nengo-loihi", int(rng.integers(8, 65)), int(rng.integers(0, 20)), int(rng.integers(1, 70)), (8,), (12,), ("sparse",)
        )
        synapses = rng.integers(0, 300, 5)
        expected = 0
        for count in synapses:
            for entry in range(0, count, rule.entry_synapses_max):
                bits = rule.entry_header_bits + 20 * min(count - entry, rule.entry_synapses_max)
                expected += (bits + rule.word_bits - 1) // rule.word_bits
        assert totals_of(rule, synapses, 4096, 8) == {"sparse": expected}


def test_fields_are_the_narrowest_that_the_chip_has():
    one = np.array([64])
    by_bits = [totals_of(NENGO, one, 1024, bits)["sparse"] for bits in range(1, 9)]
    assert by_bits == [-(-(10 + 64 * (field + 10)) // 64) for field in (1, 2, 3, 4, 5, 6, 8, 8)]  # there is no 7-bit weight
    by_neurons = [totals_of(NENGO, one, n, 8)["sparse"] for n in (1, 2, 64, 65, 1024, 1025, 4096)]
    assert by_neurons == [-(-(10 + 64 * (8 + index)) // 64) for index in (0, 6, 6, 7, 10, 11, 12)]
    assert set(totals_of(NENGO, one, 4097, 8)) == {"dense"}  # no index is wide enough
    assert totals_of(NENGO, one, 64, 9) == {}


def test_profiles_verb():
    listed = CliRunner().invoke(main, ["profiles"])
    assert listed.exit_code == 0
    assert all(name in listed.stdout for name in chips.names())
    shown = CliRunner().invoke(main, ["profiles", "show", "loihi2"])
    assert "others say 128, 122" in shown.stdout
    assert "not public" in shown.stdout
    wrong = CliRunner().invoke(main, ["profiles", "show", "lohi2"])
    assert (wrong.exit_code, "did you mean 'loihi2'" in wrong.stderr) == (2, True)
    bare = CliRunner().invoke(main, ["profiles", "loihi2"])
    assert (bare.exit_code, "did you mean: snnc profiles show loihi2" in bare.stderr) == (2, True)
