"""Target `json_rows`: layers of LIF neurons in JSON, one row of weights a neuron, and a program that runs them."""

import json

from snnc import ops
from snnc.plugin import Fixed, runner

SUMMARY = "rows of integer weights in JSON, for LIF layers without delays"
NEEDS_MAPPING = False
VERIFIED_BY = "NumPy"
RUNNER = runner.Runner("the program of the rows", "pip install numpy", "SNNC_JSON_ROWS_PYTHON")
PROGRAM = """
import json, sys
from pathlib import Path
import numpy as np

said = json.loads(Path(__file__).with_name("network.json").read_text())
found = dict(np.load(sys.argv[1]))
limit = 1 << (said["state_bits"] - 1)
for layer in said["layers"]:
    threshold = layer["threshold"] << said["state_shift"]
    kept = (1 << said["decay_bits"]) - np.array(layer["decay_v"])
    currents = 0
    for wire in layer["wires"]:
        sums = found[wire["src"]].astype(np.int64) @ np.array(wire["rows"]).T
        currents += sums << wire["exponent"] if wire["exponent"] >= 0 else sums >> -wire["exponent"]
    u = currents << said["state_shift"]  # (samples, steps, n)
    v, now = np.zeros_like(u), 0
    for step in range(u.shape[1]):
        now = np.sign(now) * (np.abs(now) * kept >> said["decay_bits"]) + u[:, step] + layer.get("bias", 0)
        now = np.clip(now, 1 - limit, limit - 1)
        v[:, step] = now
        now = np.where(now > threshold, 0, now)
    spikes = v > threshold
    found |= {layer["name"]: spikes.astype(np.uint8), layer["name"] + ".u": u, layer["name"] + ".v": np.where(spikes, 0, v)}
np.savez(sys.argv[2], **found, _by="json_rows")
"""


def neuron_problem(model):
    """Why the target cannot compute a neuron model; empty if it can."""
    return "" if model in ("lif", "plain_lif") else f"json_rows has no neuron {model!r}"


def operator_problem(kind):
    """Why the target cannot compute a kind of operators; empty if it can: each is unrolled."""
    return "" if kind in ops.kinds() and ops.get(kind).linear else f"no rows are known for {kind!r}"


def problems(net, mapping):
    """Everything that cannot be exported, each as a sentence."""
    if not isinstance(net.numeric, Fixed):
        return ["it is a float network; quantise it first (snnc quantise)"]
    models = {p.name: neuron_problem(p.neuron.model()) for p in net.populations if p.neuron}
    found = [f"population {name!r}: {why}" for name, why in models.items() if why]
    found += [f"connection {c.name!r}: {why}" for c in net.connections if (why := operator_problem(c.op.kind))]
    return found + [f"connection {c.name!r} has a delay; json_rows has none" for c in net.connections if c.longest_delay]


def export(net, mapping, folder, max_synapses):
    """Fill the folder; no population runs late."""
    numbers = {name: getattr(net.numeric, name) for name in ("state_shift", "state_bits", "decay_bits")}
    layers = [_layer(net, p, max_synapses) for p in net.ordered if p.neuron]
    (folder / "network.json").write_text(json.dumps({**numbers, "layers": layers}) + "\n")
    (folder / "run.py").write_text(PROGRAM)
    return {p.name: 0 for p in net.ordered}


def _layer(net, p, max_synapses):
    wires = [
        {"src": c.src, "exponent": c.op.exponent, "rows": c.op.unrolled(max_synapses).to_dense().tolist()}
        for c in net.into(p.name)
    ]
    parameters = {name: getattr(p.neuron, name).tolist() for name in p.neuron.parameters()}  # threshold, decay_v, bias
    return {"name": p.name, "wires": wires, **parameters}


def run(artifact, inputs, record, timeout_s):
    """Run the artifact on input rasters (samples, steps, n)."""
    return runner.run(artifact, inputs, record, timeout_s, RUNNER)
