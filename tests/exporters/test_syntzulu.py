"""SYNtzulu: the design's own RTL computes what the network does, and no longer does when a byte of its files is changed."""

import os
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from cases import peers
from cases.convolutions import conv
from cases.exported import saved
from cases.networks import SYNTZULU, chain_for, fixed_chain, float_chain, spikes
from conftest import snnc

from snnc import chips, neurons, targets
from snnc.errors import ConfigError, FileError, MissingDependencyError, RunError, UnsupportedError
from snnc.network.model import Connection, Network, Population
from snnc.network.window import Window
from snnc.ops.sumpool2d import SumPool2d
from snnc.passes.quantise import QuantiseConfig, quantise
from snnc.simulation.reference import simulate
from snnc.verification.compare import compare

TARGET = targets.load("syntzulu")
SETTING = TARGET.DESIGN.setting
QUICK = 4  # of the mutations; the slow test tries all


@pytest.fixture
def rtl(monkeypatch):
    """The design's RTL, named as users name it."""
    monkeypatch.setenv(SETTING, str(peers.rtl(SETTING, "syntzulu")))


def network(sizes=(14, 16, 10, 5), readout=False):
    """Three layers that fire, each with a threshold and a decay of its own; or a readout behind them."""
    net, (lif, li) = chain_for("syntzulu", 4, sizes, density=0.6), (neurons.get("lif"), neurons.get("li"))
    populations = [net.populations[0]]
    for i, p in enumerate(net.populations[1:]):
        populations.append(
            replace(p, neuron=lif(threshold=np.int64((40, 30, 20, 10)[i]), decay_v=np.int64(700 + 300 * i), bias=np.int64(0)))
        )
    if readout:
        populations[-1] = replace(net.output, neuron=li(decay_u=np.int64(4096), decay_v=np.int64(900), bias=np.int64(0)))
    return replace(net, populations=tuple(populations))


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """(artifact, inputs, what the reference makes of them)."""
    net = network()
    inputs = spikes(net, samples=2, rate=0.5, steps=12)
    artifact = targets.export("syntzulu", net, None, tmp_path_factory.mktemp("syntzulu") / "a")
    return artifact, inputs, simulate(net, inputs, record=True)


@pytest.mark.hdl
@pytest.mark.usefixtures("rtl")
def test_the_rtl_computes_what_the_network_does(case):
    artifact, inputs, reference = case
    verdict = compare(reference, TARGET.run(artifact, inputs, True, 120))
    assert verdict.exact, (verdict.first, verdict.silent)
    assert set(verdict.states) == {f"{name}.{state}" for name in ("hidden1", "hidden2", "output") for state in "uv"}
    assert min(verdict.fired.values()) > 0
    assert reference.states["hidden1"]["v"].min() < 0


@pytest.mark.hdl
@pytest.mark.usefixtures("rtl")
@pytest.mark.parametrize("sizes", [(5, 3), (14, 16, 10, 12, 5)])
def test_a_readout_is_the_last_layer(sizes, tmp_path):
    net = network(sizes, readout=True)
    inputs = spikes(net, samples=2, rate=0.5, steps=8)
    verdict = compare(
        simulate(net, inputs, record=True), TARGET.run(targets.export("syntzulu", net, None, tmp_path / "a"), inputs, True, 60)
    )
    assert verdict.first is None
    assert verdict.states["output.v"] == (2 * 8 * sizes[-1], 0)


OPS = {
    "conv2d": lambda rng, shape: conv(rng, (4, 3, 3, 2), shape, SYNTZULU, stride=(2, 1), padding=(1, 0)),
    "sumpool2d": lambda rng, shape: replace(SumPool2d.of_weight(100, Window(shape, (2, 2), (2, 1))), sign_mode="mixed"),
}


@pytest.mark.hdl
@pytest.mark.usefixtures("rtl")
@pytest.mark.parametrize("kind", OPS)
def test_operators_are_unrolled(kind, tmp_path):
    shape = (3, 5, 4)
    op = replace(OPS[kind](np.random.default_rng(1), shape), exponent=-1)
    neuron = neurons.get("lif")(threshold=np.int64(60), decay_v=np.int64(500), bias=np.int64(0))
    populations = (Population("input", shape, None), Population("output", op.dst_shape, neuron))
    net = Network("net", populations, (Connection("into", "input", "output", op),), 1e-3, SYNTZULU)
    inputs = spikes(net, samples=1, rate=0.5, steps=6)
    verdict = compare(
        simulate(net, inputs, record=True), TARGET.run(targets.export("syntzulu", net, None, tmp_path / "a"), inputs, True, 60)
    )
    assert verdict.exact, verdict.first


def mutations(case):
    """(file, line, word, what stands there instead): weights of every layer in every memory, decays and thresholds.

    A weight is one whose source fires more than once.
    """
    root, fired = case[0].root, [case[2].spikes[name].sum((0, 1)) for name in ("input", "hidden1", "hidden2")]
    rows = ((0, 8), (8, 16), (16, 20))  # lines of the neurons of a layer in each memory
    for number in (1, 2, 3, 4):
        lines = [line.split() for line in (root / f"weights_{number}.txt").read_text().splitlines()]
        for (first, end), sources in zip(rows, fired, strict=True):
            at = [4 * (j // 2) + 2 * ((number - 1) % 2) + j % 2 for j in range(len(lines[first]))]  # the source of each byte
            busy = [j for j, i in enumerate(at) if i < len(sources) and sources[i] > 1]
            there = [(i, j) for i in range(first, end) for j in busy if lines[i][j] != "00"]
            for i, j in (there[len(there) // 3], there[-1]):
                yield f"weights_{number}.txt", i, j, f"{int(lines[i][j], 16) ^ 0x50:02x}"
    for i, line in enumerate((root / "config.txt").read_text().splitlines()):
        if re.search("(VOLTAGE_DECAY|THRESHOLD)_[123]", line):
            yield (
                "config.txt",
                i,
                2,
                line.split()[2].replace("4096-", "3800-") if "DECAY" in line else str(int(line.split()[2]) // 2),
            )


def is_caught(case, folder, file, line, word, instead):
    """Whether the RTL no longer computes what the network does."""
    artifact, inputs, reference = case
    shutil.copytree(artifact.root, folder)
    lines = [text.split(" ") for text in (folder / file).read_text().splitlines()]
    lines[line][word] = instead
    (folder / file).write_text("".join(f"{' '.join(text)}\n" for text in lines))
    try:
        return not compare(reference, TARGET.run(replace(artifact, root=folder), inputs, True, 60)).exact
    except RunError:
        return True


def missed(case, folder, chosen):
    return [m for i, m in enumerate(chosen) if not is_caught(case, folder / str(i), *m)]


@pytest.mark.hdl
@pytest.mark.usefixtures("rtl")
def test_a_changed_byte_is_caught(case, tmp_path):
    chosen = list(mutations(case))
    assert missed(case, tmp_path, chosen[:: len(chosen) // QUICK]) == []


@pytest.mark.slow
@pytest.mark.hdl
@pytest.mark.usefixtures("rtl")
def test_every_kind_of_changed_byte_is_caught(case, tmp_path):
    chosen = list(mutations(case))
    assert len(chosen) >= 30
    assert missed(case, tmp_path, chosen) == []


def test_what_the_design_cannot_hold_is_refused_with_both_numbers(tmp_path):
    def export(net):
        return targets.export("syntzulu", net, None, tmp_path / "a", force=True)

    def with_output(net, **values):
        return replace(net, populations=(*net.populations[:-1], replace(net.output, neuron=replace(net.output.neuron, **values))))

    net = network()
    export(net)
    with pytest.raises(UnsupportedError, match="has 4 layers of neurons that fire, the design has 3 and a readout"):
        export(network((8, 8, 8, 8, 8)))
    with pytest.raises(UnsupportedError, match="has 300 neurons, a layer has at most 256"):
        export(network((8, 300, 8)))
    with pytest.raises(UnsupportedError, match=r"take 8,192 words of each memory.*a layer has 4,096"):
        export(network((256, 200)))
    with pytest.raises(UnsupportedError, match="2 values of decay_v, a layer has one"):
        export(with_output(net, decay_v=np.array([3, 3, 4, 4, 4])))
    with pytest.raises(UnsupportedError, match="has biases, the design has none"):
        export(with_output(net, bias=np.int64(1)))
    with pytest.raises(
        UnsupportedError, match=r"can get a voltage of -?[\d,]+, the design's registers wrap around beyond 32,767"
    ):
        export(with_output(net, decay_v=np.int64(0), threshold=np.int64(32_000)))
    with pytest.raises(UnsupportedError, match="delay of 2 steps, the design has none"):
        export(replace(net, connections=(replace(net.connections[0], delay_steps=2), *net.connections[1:])))
    with pytest.raises(UnsupportedError, match="is no chain"):
        export(replace(net, connections=(*net.connections, replace(net.connections[0], name="twin"))))
    with pytest.raises(UnsupportedError, match=r"state_bits 24 .chip: 16.*quantise it for syntzulu"):
        export(fixed_chain())


def test_what_is_quantised_for_it_fits_and_what_shares_a_sign_has_a_remedy(tmp_path):
    """Without a word the weights of both signs are those of the design; all of one sign need --sign-mode mixed, as it says."""
    profile = chips.load("syntzulu")
    fixed = quantise(float_chain(sizes=(20, 12, 5)), profile, QuantiseConfig())
    assert {c.op.exponent for c in fixed.connections} == {-1}
    assert profile.fixed() == SYNTZULU
    targets.export("syntzulu", fixed, None, tmp_path / "a")
    net = float_chain(sizes=(20, 12, 5))
    first = net.connections[0]
    net = replace(
        net, connections=(replace(first, op=first.op.with_values(np.abs(first.op.synapses.values))), *net.connections[1:])
    )
    with pytest.raises(UnsupportedError, match=r"has odd weights.*--sign-mode mixed"):
        targets.export("syntzulu", quantise(net, profile, QuantiseConfig()), None, tmp_path / "b")
    targets.export("syntzulu", quantise(net, profile, QuantiseConfig(sign_mode="mixed")), None, tmp_path / "b")


def test_the_rtl_is_named_by_the_user(case, monkeypatch, tmp_path):
    artifact, inputs, _ = case
    monkeypatch.delenv(SETTING, raising=False)
    with pytest.raises(MissingDependencyError, match=f"--rtl or {SETTING}"):
        TARGET.run(artifact, inputs, True, 60)
    monkeypatch.setenv(SETTING, str(tmp_path))
    with pytest.raises(ConfigError, match="files of SYNtzulu missing"):
        TARGET.run(artifact, inputs, True, 60)


@pytest.mark.hdl
@pytest.mark.usefixtures("rtl")
def test_verify_takes_the_folder_of_the_rtl(tmp_path, monkeypatch, capsys):
    where = os.environ[SETTING]
    monkeypatch.delenv(SETTING)
    path = saved(network(), tmp_path)
    assert snnc("export", path, "-t", "syntzulu", "-o", tmp_path / "a") == 0
    words = ("--against", path, "--random", "0.5", "--steps", "12", "--samples", "1", "--rtl", where)
    assert snnc("verify", tmp_path / "a", *words) == 0
    assert "RTL of SYNtzulu in" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["", "{}", '{"inputs": 16, "input": "input", "layers": []}'])
def test_a_damaged_description_is_one_sentence(case, text, tmp_path, monkeypatch):
    monkeypatch.setattr(type(TARGET.DESIGN), "folder", lambda self: tmp_path)
    artifact, inputs, _ = case
    shutil.copytree(artifact.root, tmp_path / "a")
    (tmp_path / "a" / "network.json").write_text(text)
    with pytest.raises(FileError):
        TARGET.run(replace(artifact, root=tmp_path / "a"), inputs, True, 60)
