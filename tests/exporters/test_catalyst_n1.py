"""Catalyst N1: the chip's own RTL computes what the network does, and no longer does when a byte of its program is changed."""

import os
import re
import shutil
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from cases import peers
from cases.exported import saved
from cases.networks import CATALYST, chain_for, fixed_chain, fixed_dense, spikes
from conftest import snnc
from snnc.exporters.catalyst_n1 import placement

from snnc import chips, neurons, targets
from snnc.errors import ConfigError, DoesNotFitError, FileError, MissingDependencyError, RunError, UnsupportedError
from snnc.network.model import Connection, Population
from snnc.simulation.reference import simulate
from snnc.verification.compare import compare

TARGET = targets.load("catalyst_n1")
SETTING = TARGET.DESIGN.setting
QUICK = 3  # of the mutations; the slow test tries all


@pytest.fixture
def rtl(monkeypatch):
    """The chip's RTL, named as users name it."""
    monkeypatch.setenv(SETTING, str(peers.rtl(SETTING, "catalyst-n1")))


def network():
    """Neurons of unlike parameters, one that always fires, biases of either sign, and a loop of two steps through a relay."""
    rng = np.random.default_rng(26)
    net = chain_for("catalyst_n1", 3, (6, 8, 4))
    model, populations = neurons.get("catalyst"), [net.populations[0]]
    for p in net.populations[1:]:
        values = {"decay_u": rng.integers(200, 4096, p.size), "decay_v": rng.integers(1, 4096, p.size)}
        threshold, bias = rng.integers(1, 300, p.size), rng.integers(20, 120, p.size)
        threshold[0], bias[1] = 0, -30 if p.name == "hidden1" else 90
        populations.append(replace(p, neuron=model(threshold=threshold, bias=bias, **values)))
    loop = Connection("again", "hidden1", "hidden1", fixed_dense(rng, 8, 8, numeric=CATALYST), 2)
    return replace(net, populations=tuple(populations), connections=(*net.connections, loop))


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """(artifact, inputs, what the reference makes of them)."""
    net = network()
    inputs = spikes(net, samples=2, rate=0.5, steps=6)
    artifact = targets.export("catalyst_n1", net, None, tmp_path_factory.mktemp("catalyst") / "a")
    return artifact, inputs, simulate(net, inputs, record=True)


@pytest.mark.hdl
@pytest.mark.usefixtures("rtl")
def test_the_rtl_computes_what_the_network_does(case):
    """Spikes, v and u of every neuron, in two samples: the second from a fresh state, by the chip's own commands."""
    artifact, inputs, reference = case
    verdict = compare(reference, TARGET.run(artifact, inputs, True, 120))
    assert verdict.exact, (verdict.first, verdict.silent)
    assert set(verdict.states) == {f"{name}.{state}" for name in ("hidden1", "output") for state in "vu"}
    assert min(verdict.fired.values()) > 0
    assert min(x.min() for states in reference.states.values() for x in states.values()) < 0


KINDS = {  # opcode -> (what it is, byte, bits that are turned)
    "01": [("target of a synapse", 6, 1), ("weight", 8, 0x40)],
    "02": [("relay of a route", 7, 1), ("current of a route", 9, 1)],
    "08": [("first synapse of a source", 5, 1), ("synapses of a source", 7, 1)],
}
PARAMETERS = {  # number -> the same
    0: ("threshold", 5, 0x10), 2: ("rest", 6, 1), 3: ("refractory steps", 6, 1), 16: ("decay_v", 5, 8), 17: ("decay_u", 5, 8),
    18: ("bias", 6, 0x40), 24: ("sends", 6, 1), 30: ("least", 5, 0x80),
}  # fmt: skip
CHOSEN = {"rest": (15, 17), "refractory steps": (15, 17), "least": (15, 17)}  # behind those of 14 relays


def mutations(root):
    """(file, line, what, byte, bits) of bytes that the network needs: every kind of command and parameter, in every file."""
    for file in ("program.hex", "hold.hex", "release_1.hex", "release_3.hex"):
        seen = Counter()
        for number, text in enumerate((root / file).read_text().splitlines()):
            data = text.split()[2:]
            found = KINDS.get(data[0], [])
            if data[0] == "07" and (of := PARAMETERS.get(int(data[4], 16))) and (file, of[0]) != ("hold.hex", "threshold"):
                found = [of]  # of a neuron that is held and at 0 or below, no threshold matters
            for kind in found:
                seen[kind[0]] += 1
                if seen[kind[0]] in CHOSEN.get(kind[0], (2, 4)):
                    yield (file, number, *kind)


def is_caught(case, folder, file, number, what, byte, bits):
    """Whether the RTL no longer computes what the network does when bits of a byte are turned."""
    artifact, inputs, reference = case
    shutil.copytree(artifact.root, folder)
    lines = (folder / file).read_text().splitlines()
    words = lines[number].split()
    words[2 + byte] = f"{int(words[2 + byte], 16) ^ bits:02x}"
    lines[number] = " ".join(words)
    (folder / file).write_text("\n".join(lines) + "\n")
    try:
        return not compare(reference, TARGET.run(replace(artifact, root=folder), inputs, True, 60)).exact
    except RunError:
        return True


def missed(case, folder, chosen):
    return [m for i, m in enumerate(chosen) if not is_caught(case, folder / str(i), *m)]


@pytest.mark.hdl
@pytest.mark.usefixtures("rtl")
def test_a_changed_byte_is_caught(case, tmp_path):
    chosen = list(mutations(case[0].root))
    assert missed(case, tmp_path, chosen[len(chosen) // 2 :: len(chosen) // 2 // QUICK]) == []


@pytest.mark.slow
@pytest.mark.hdl
@pytest.mark.usefixtures("rtl")
def test_every_kind_of_changed_byte_is_caught(case, tmp_path):
    chosen = list(mutations(case[0].root))
    assert len(chosen) >= 30
    assert missed(case, tmp_path, chosen) == []


def test_it_is_not_the_neuron_of_loihi():
    """The chip claims parity with Loihi; its rounding and its later current make other states of the same numbers."""
    net = fixed_chain(1, (12, 20, 5), model="catalyst", numeric=CATALYST)
    same = [p if p.neuron is None else replace(p, neuron=as_loihi(p.neuron)) for p in net.populations]
    inputs = spikes(net)
    ours, loihi = simulate(net, inputs, record=True), simulate(replace(net, populations=tuple(same)), inputs, record=True)
    verdict = compare(ours, loihi)
    first = verdict.first
    assert (first.population, first.step, first.neuron, first.states["v"]) == ("hidden1", 0, 0, (0, 210))
    assert [run.states["hidden1"]["u"][0, 2, 2] for run in (ours, loihi)] == [-273, -274]
    assert [sum(counts) for counts in zip(*verdict.states.values(), strict=True)] == [2400, 1628]


def as_loihi(neuron):
    values = {name: getattr(neuron, name) for name in neuron.parameters()}
    return neurons.get("cuba")(**{**values, "decay_u": np.maximum(values["decay_u"], 1)})


def test_what_the_chip_cannot_hold_is_refused_with_both_numbers(tmp_path):
    def export(net):
        return targets.export("catalyst_n1", net, None, tmp_path / "a", force=True)

    with pytest.raises(DoesNotFitError, match="70 relays and neurons that send, its queues of spikes hold 64"):
        export(chain_for("catalyst_n1", 0, (70, 3), density=1.0))
    with pytest.raises(DoesNotFitError, match="needs 3 cores, catalyst_n1_kria has 2"):
        export(replace(chain_for("catalyst_n1", 0, (60, 8, 2), density=1.0),
                       numeric=replace(CATALYST, profile="catalyst_n1_kria")))  # fmt: skip
    with pytest.raises(UnsupportedError, match=r"state_bits 24 .chip: 16.*quantise it for catalyst_n1"):
        export(fixed_chain(model="catalyst"))
    net = chain_for("catalyst_n1")
    with pytest.raises(UnsupportedError, match="would need a delay of 1 steps"):
        export(replace(net, connections=(net.connections[0], replace(net.connections[1], delay_steps=1), *net.connections[2:],
                       Connection("twin", "hidden1", "output", net.connections[1].op))))  # fmt: skip
    idle = replace(net.output, neuron=neurons.get("catalyst")(threshold=5, decay_u=0, decay_v=0, bias=0))
    with pytest.raises(UnsupportedError, match="without any decay"):
        export(replace(net, populations=(*net.populations[:-1], idle)))
    lasts = replace(
        net.output, neuron=replace(net.output.neuron, decay_u=np.int64(16))
    )  # the chip's u has 24 bits, a network's 16
    with pytest.raises(UnsupportedError, match=r"the current can reach [\d,]+ and wraps at 32,768"):
        export(replace(net, populations=(*net.populations[:-1], lasts)))
    graded = Population("input", (12,), None, message_bits=3)
    with pytest.raises(UnsupportedError, match="sends 3-bit messages"):
        export(replace(net, populations=(graded, *net.populations[1:])))


def test_the_boards_are_those_of_the_profiles():
    for name, board in placement.BOARDS.items():
        profile = chips.load(name)
        assert profile.fixed() == replace(CATALYST, profile=name)
        assert (profile.cores, profile.limits["neurons_per_core"]) == (board.cores, board.neurons)
        assert profile.limits["synapses_per_core"] == board.pool
        assert profile.limits["input_axons_per_core"] == placement.QUEUE


def test_what_sends_or_listens_lies_in_the_first_places_of_a_core():
    """What a queue loses is never needed: whatever fires, nothing that is sent comes after more than 63 others."""
    net = chain_for("catalyst_n1", 0, (40, 90, 30, 9), density=0.2)
    cores = placement.place(net, placement.FULL, 1 << 20)
    assert len(cores) > 3
    sending = {c.src for c in net.connections}
    for core in cores:
        assert all(n < placement.QUEUE for (name, _), n in core.places().items() if name in sending)
        assert len(core.relays) <= placement.QUEUE
    held = [who for core in cores for who in core.places()]
    assert sorted(held) == sorted((p.name, i) for p in net.populations if p.neuron for i in range(p.size))


def test_the_rtl_is_named_by_the_user(case, monkeypatch, tmp_path):
    artifact, inputs, _ = case
    monkeypatch.delenv(SETTING, raising=False)
    with pytest.raises(MissingDependencyError, match=f"--rtl or {SETTING}"):
        TARGET.run(artifact, inputs, True, 60)
    monkeypatch.setenv(SETTING, str(tmp_path))
    with pytest.raises(ConfigError, match="has 6 of the 6 files of Catalyst N1 missing"):
        TARGET.run(artifact, inputs, True, 60)


@pytest.mark.hdl
@pytest.mark.usefixtures("rtl")
def test_verify_takes_the_folder_of_the_rtl(tmp_path, monkeypatch, capsys):
    where = os.environ[SETTING]
    monkeypatch.delenv(SETTING)
    path = saved(network(), tmp_path)
    assert snnc("export", path, "-t", "catalyst_n1", "-o", tmp_path / "a") == 0
    words = ["verify", tmp_path / "a", "--against", path, "--random", "0.5", "--steps", "4", "--samples", "1"]
    assert snnc(*words, "--rtl", where) == 0
    assert "RTL of Catalyst N1 in" in capsys.readouterr().out
    assert snnc("export", path, "-t", "npz", "-o", tmp_path / "b") == 0
    assert snnc("verify", tmp_path / "b", *words[2:], "--rtl", where) == 2
    assert re.search("target 'npz' simulates no RTL", capsys.readouterr().err)


@pytest.mark.parametrize("text", ["", "{}", '{"chip": {"cores": 999}}'])
def test_a_damaged_description_is_one_sentence(case, text, tmp_path, monkeypatch):
    monkeypatch.setattr(type(TARGET.DESIGN), "folder", lambda self: tmp_path)
    artifact, inputs, _ = case
    shutil.copytree(artifact.root, tmp_path / "a")
    (tmp_path / "a" / "network.json").write_text(text)
    with pytest.raises(FileError):
        TARGET.run(replace(artifact, root=tmp_path / "a"), inputs, True, 60)
