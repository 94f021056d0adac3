"""What a network takes of an FPGA: one count for `check`, `export`, `prune --fit` and `build`, and remedies that work."""

import json
from itertools import pairwise

import pytest
from cases.networks import fixed_chain, fixed_loops, float_chain
from conftest import snnc

from snnc import chips, store, targets
from snnc.budget import fpga
from snnc.budget.check import check
from snnc.budget.goal import Goal
from snnc.budget.measure import measure
from snnc.budget.plan import plan
from snnc.budget.remedies import has_room, remedies
from snnc.errors import ConfigError, UnsupportedError
from snnc.passes.prune_by_magnitude import magnitudes, prune_by_magnitude
from snnc.passes.quantise import quantise
from snnc.pipeline.chip import map_with

UP5K, HX8K = chips.load("ice40up5k"), chips.load("ice40hx8k")
LARGE = {"sizes": (80, 120, 10), "density": 1.0}


def test_the_count_is_that_of_the_files(tmp_path):
    """The memories of `check` are those in network.json, for every number of lanes that fits."""
    net = fixed_loops()
    budget = check(net, UP5K)
    assert budget.fits
    assert [design.lanes for design in budget.designs] == [1, 2, 4]
    for design in budget.designs:
        artifact = targets.export("verilog", net, None, tmp_path / str(design.lanes), options={"lanes": design.lanes})
        written = json.loads((artifact.root / "network.json").read_text())["memories"]
        counted = {p.memory.name: (p.memory.words, p.memory.bits, p.memory.copies) for p in design.placed}
        assert counted == {name: (m["words"], m["bits"], m.get("copies", 1)) for name, m in written.items()}


def test_more_lanes_take_more():
    designs = check(fixed_chain(sizes=(12, 60, 10)), HX8K).designs
    assert [d.lanes for d in designs] == [1, 2, 4]
    assert all(a.luts < b.luts for a, b in pairwise(designs))


def test_what_binds_and_remedies_that_work():
    net = fixed_chain(**LARGE)
    budget = check(net, HX8K)
    assert (budget.fits, budget.binding.resource, budget.binding.limit) == (False, "block_rams", 32)
    advice = [str(remedy) for remedy in remedies(net, HX8K, budget)]
    assert any(line.startswith("ecp5_85f holds it") for line in advice)
    assert "train it to fit: snnc prune --fit ice40hx8k" in advice
    kept = int(next(line for line in advice if line.startswith("fits from")).split("(")[1].split(" ")[0].replace(",", ""))
    counts = {c.name: c.op.synapses.count for c in net.connections}
    largest = max(counts.values())
    part = kept / sum(counts.values())
    assert has_room(prune_by_magnitude(net, {name: int(part * n) for name, n in counts.items()}), HX8K)
    assert not has_room(prune_by_magnitude(net, {name: int(part * n * 1.2) for name, n in counts.items()}), HX8K), largest


def test_a_float_network_is_counted_as_quantised():
    net = float_chain()
    budget = check(net, UP5K)
    assert budget.fits
    assert budget.designs == check(quantise(net, UP5K), UP5K).designs
    assert "the network is float: counted as quantised for ice40up5k" in budget.assumptions


def test_a_plan_fills_the_device():
    net = float_chain(**LARGE)
    goal = Goal.parse("ice40hx8k")
    assert str(goal) == "32 block RAMs of ice40hx8k with 1 lane"
    planned = plan(net, goal, magnitudes(net))
    assert goal.is_met(planned.uses)
    assert planned.uses["block_rams"] > 28
    assert measure(quantise(planned.net, HX8K), HX8K)["block_rams"] == planned.uses["block_rams"]
    assert Goal.parse("ice40up5k:lanes=4").limits == {"block_rams": 30, "large_rams": 4}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ice40up5k:cores=2", "limits 'cores'"),
        ("ice40up5k:lanes=3", "lanes = 3 is no power of two up to 64"),
        ("loihi1", "is no CHIP:cores=N"),
        ("loihi1:lanes=2", "limits 'lanes'"),
    ],
)
def test_goals_that_cannot_be(text, message):
    with pytest.raises(ConfigError, match=message):
        Goal.parse(text)


def test_an_fpga_has_no_cores_to_map_to(tmp_path):
    net = quantise(float_chain(), UP5K)
    with pytest.raises(UnsupportedError, match="ice40up5k: is an FPGA: it has no cores to map to"):
        map_with(net, "ice40up5k")
    with pytest.raises(UnsupportedError, match="no FPGA"):
        fpga.best_design(net, chips.load("loihi1"))


def test_export_takes_the_lanes_that_fit(tmp_path, capsys):
    store.save(fixed_loops(), tmp_path / "a.snnc")
    assert snnc("export", tmp_path / "a.snnc", "-t", "verilog", "--hw", "ice40up5k", "-o", tmp_path / "a") == 0
    assert targets.read_artifact(tmp_path / "a").options == {"lanes": 4}
    assert "4 lanes" in capsys.readouterr().out
    assert snnc("check", tmp_path / "a.snnc", "--hw", "ice40up5k") == 0
    assert "with up to 4 lanes" in capsys.readouterr().out
    assert snnc("export", tmp_path / "a.snnc", "-t", "verilog", "--hw", "ice40up5k", "--lanes", "64", "-o", tmp_path / "b") == 3
    assert "use --lanes 4, which fits" in capsys.readouterr().err
    store.save(fixed_chain(**LARGE), tmp_path / "b.snnc")
    assert snnc("export", tmp_path / "b.snnc", "-t", "verilog", "--hw", "ice40hx8k", "-o", tmp_path / "b") == 3
    assert "snnc prune --fit ice40hx8k" in capsys.readouterr().err
    assert not (tmp_path / "b").exists()
    assert snnc("check", tmp_path / "b.snnc", "--hw", "ice40hx8k", "--no-remedies") == 3
    assert "does not fit ice40hx8k; binding: block RAMs at 1 lane" in capsys.readouterr().out
