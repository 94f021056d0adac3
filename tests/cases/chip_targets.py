"""Networks for the chips of others verified by their RTL or by their maker's simulator, and edits of what is written.

An edit is (file, what is changed, function of the text): of something that the network needs.
"""

import json
import re
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from cases import peers
from cases.networks import CATALYST, XYLO, chain_for, fixed_dense, spikes
from snnc import neurons, targets
from snnc.errors import DataError, RunError
from snnc.network.model import Connection
from snnc.simulation.reference import simulate
from snnc.verification.compare import compare


@dataclass(frozen=True)
class Chip:
    """A target, and a network that tries it."""

    target: str
    network: Callable
    edits: Callable  # of a `Tried`
    steps: int
    rtl: str = ""  # beside the project, where it is one with RTL
    states: str = "uv"  # that what runs it gives

    @property
    def setting(self):
        return targets.load(self.target).DESIGN.setting

    def ready(self, monkeypatch):
        """Name the RTL as users name it. Skips with a printed reason where there is none."""
        if self.rtl:
            monkeypatch.setenv(self.setting, str(peers.rtl(self.setting, self.rtl)))


@dataclass(frozen=True, eq=False)
class Tried:
    """An artifact, what goes in, and what the reference makes of it."""

    artifact: object
    inputs: dict
    reference: object

    def verdict(self, folder=None, timeout_s=120):
        """What the target's own run says of the artifact, or of another folder in its place."""
        artifact = replace(self.artifact, root=folder or self.artifact.root)
        return compare(self.reference, targets.load(artifact.target).run(artifact, self.inputs, True, timeout_s))


def tried(chip, folder):
    net = chip.network()
    inputs = spikes(net, samples=2, rate=0.5, steps=chip.steps)
    for p in net.inputs:
        if p.message_bits:
            inputs[p.name] *= np.random.default_rng(1).integers(1, 1 << p.message_bits, inputs[p.name].shape, np.uint8)
    return Tried(targets.export(chip.target, net, None, folder / "a"), inputs, simulate(net, inputs, record=True))


def missed(case, folder, edits):
    """The edits after which the chip still computes what the network does."""
    found = []
    for i, (file, what, edit) in enumerate(edits):
        shutil.copytree(case.artifact.root, folder / str(i))
        path = folder / str(i) / file
        before = path.read_text()
        path.write_text(edit(before))
        assert path.read_text() != before, what
        try:
            caught = not case.verdict(folder / str(i), 60).exact
        except (RunError, DataError):
            caught = True
        found += [] if caught else [(file, what)]
    return found


def in_line(number, change):
    """An edit of the words of a line."""

    def edit(text):
        lines = [line.split(" ") for line in text.splitlines()]
        lines[number] = change(lines[number])
        return "".join(f"{' '.join(words)}\n" for words in lines)

    return edit


def catalyst_network():
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


def catalyst_edits(case):
    """Bits of a byte of every kind of command and parameter, in every file."""
    for file in ("program.hex", "hold.hex", "release_1.hex", "release_3.hex"):
        seen = Counter()
        for number, text in enumerate((case.artifact.root / file).read_text().splitlines()):
            data = text.split()[2:]
            kinds = KINDS.get(data[0], [])
            if data[0] == "07" and (of := PARAMETERS.get(int(data[4], 16))) and (file, of[0]) != ("hold.hex", "threshold"):
                kinds = [of]  # of a neuron that is held and at 0 or below, no threshold matters
            for what, byte, bits in kinds:
                seen[what] += 1
                if seen[what] in CHOSEN.get(what, (2, 4)):
                    yield file, f"{what}, line {number}", in_line(number, turned(2 + byte, bits))


def turned(at, bits):
    def change(words):
        return [*words[:at], f"{int(words[at], 16) ^ bits:02x}", *words[at + 1 :]]

    return change


def syntzulu_network(sizes=(14, 16, 10, 5), readout=False):
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


def syntzulu_edits(case):
    """Weights of every layer in every memory whose source fires more than once, decays and thresholds."""
    root, fired = case.artifact.root, [case.reference.spikes[name].sum((0, 1)) for name in ("input", "hidden1", "hidden2")]
    rows = ((0, 8), (8, 16), (16, 20))  # lines of the neurons of a layer in each memory
    for number in (1, 2, 3, 4):
        lines = [line.split() for line in (root / f"weights_{number}.txt").read_text().splitlines()]
        for (first, end), sources in zip(rows, fired, strict=True):
            at = [4 * (j // 2) + 2 * ((number - 1) % 2) + j % 2 for j in range(len(lines[first]))]  # the source of each byte
            busy = [j for j, i in enumerate(at) if i < len(sources) and sources[i] > 1]
            there = [(i, j) for i in range(first, end) for j in busy if lines[i][j] != "00"]
            for i, j in (there[len(there) // 3], there[-1]):
                yield f"weights_{number}.txt", f"weight {i}, {j}", in_line(i, turned(j, 0x50))
    for i, line in enumerate((root / "config.txt").read_text().splitlines()):
        if re.search("(VOLTAGE_DECAY|THRESHOLD)_[123]", line):
            yield "config.txt", line, in_line(i, other_value)


def other_value(words):
    value = words[2]
    return [*words[:2], value.replace("4096-", "3800-") if "-" in value else str(int(value) // 2)]


def xylo_network():
    """Neurons of unlike parameters, some that fire many times a step, biases, a loop, and inputs of up to 15 spikes a step."""
    rng = np.random.default_rng(5)
    net = chain_for("xylo", 5, (14, 24, 12, 6), density=0.12)
    populations = [replace(net.populations[0], message_bits=4)]
    for p in net.populations[1:]:
        lasts = 3 if p.name == "hidden1" else 2
        values = {"decay_u": 1 << 15 >> rng.integers(1, lasts, p.size), "decay_v": 1 << 15 >> rng.integers(1, 6, p.size)}
        bias = rng.integers(-40, 60, p.size) if p.name == "hidden1" else np.zeros(p.size, np.int64)
        threshold = rng.integers(60, 900, p.size)
        threshold[2] = 12
        populations.append(replace(p, neuron=type(p.neuron)(threshold=threshold, bias=bias, **values)))
    loop = Connection("again", "hidden1", "hidden1", fixed_dense(rng, 24, 24, density=0.05, exponent=-1, numeric=XYLO), 1)
    return replace(net, populations=tuple(populations), connections=(*map(excited, net.connections), loop))


def excited(c):
    """A connection most of whose weights are above 0."""
    values = c.op.synapses.values
    up = np.minimum(np.abs(values), 254)
    return replace(c, op=c.op.with_values(np.where(np.arange(len(values)) % 4 > 0, up, values)))


def xylo_edits(case):
    """Weights whose source fires often into neurons that are awake, parameters of every kind, and where populations lie."""
    given = json.loads((case.artifact.root / "configuration.json").read_text())
    runs = case.reference.spikes
    hidden = np.concatenate([runs["hidden1"], runs["hidden2"]], 2).sum((0, 1), dtype=np.int64)
    sources = {"weights_in": runs["input"].sum((0, 1), dtype=np.int64), "weights_rec": hidden, "weights_out": hidden}
    for name, sent in sources.items():
        there = np.argwhere((np.array(given[name]) != 0) & (sent[:, None] > 4))
        for i, j in there[np.linspace(0, len(there) - 1, 5).astype(int)].tolist():
            yield (
                "configuration.json",
                f"{name} {i}, {j}",
                in_json(lambda g, n=name, i=i, j=j: g[n][i].__setitem__(j, g[n][i][j] ^ 32)),
            )
    for end, fired in (("", hidden), ("_out", runs["output"].sum((0, 1), dtype=np.int64))):
        for what, other in (("dash_mem", 1), ("dash_syn", 2), ("threshold", 37), ("bias", 64)):
            for i in np.argsort(fired)[-3:].tolist():
                name = what + end
                yield (
                    "configuration.json",
                    f"{name} {i}",
                    in_json(lambda g, n=name, i=i, x=other: g[n].__setitem__(i, g[n][i] + x)),
                )
    for name in ("in", "rec", "out"):
        yield "configuration.json", f"weight_shift_{name}", in_json(lambda g, n=f"weight_shift_{name}": g.__setitem__(n, 1))
    for name in ("hidden2", "output"):
        yield "network.json", f"latency of {name}", in_json(lambda g, n=name: g["latency"].__setitem__(n, g["latency"][n] - 1))
    yield "network.json", "sizes", in_json(lambda g: g["hidden"][0].__setitem__(1, 12))


def in_json(change):
    """An edit of what a JSON file holds."""

    def edit(text):
        whole = json.loads(text)
        change(whole)
        return json.dumps(whole)

    return edit


CHIPS = {
    "catalyst_n1": Chip("catalyst_n1", catalyst_network, catalyst_edits, 6, "catalyst-n1"),
    "syntzulu": Chip("syntzulu", syntzulu_network, syntzulu_edits, 12, "syntzulu"),
    "xylo": Chip("xylo", xylo_network, xylo_edits, 20),
}
