"""The cortical microcircuit of Potjans and Diesmann: 77,169 neurons and about 0.3 billion synapses, given by rules.

    python examples/microcircuit.py                       # build, quantise for Loihi 2, check on Hala Point, simulate 100 steps
    python examples/microcircuit.py --scale 0.05 --lava   # 5 % of the neurons, so 5 % of the inputs of each; compared with Lava
    snnc map microcircuit.snnc --hw hala_point --strategy greedy

Sources: [P] Potjans and Diesmann, "The cell-type specific cortical microcircuit: relating structure and activity in a full-scale
spiking network model", Cerebral Cortex 24 (2014), doi 10.1093/cercor/bhs358, Tables 4 and 5; [N] the same numbers as parameters
of PyNEST, nest-simulator, pynest/examples/Potjans_2014/network_params.py and stimulus_params.py.

What differs from the paper: a pair of neurons has at most one synapse (the probability in the table is that of at least one, and
in the paper some pairs have more, 5 % more synapses in all); the membrane starts at rest, not at random; a step of 0.1 ms is one
of forward integration, with the charge and the decay of the exact solution; weights, thresholds and decays are integers.
"""

import argparse
from math import exp
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

import snnc
from snnc import neurons
from snnc.network.model import Connection, Network, Population
from snnc.ops.dense import Dense
from snnc.rules.rule import Draw, Pattern, Rule
from snnc.rules.ruled import Ruled

DT_MS = 0.1  # [N] sim_params.py, sim_resolution
SIZES = {  # [P] Table 5, [N] N_full
    "L23E": 20683, "L23I": 5834, "L4E": 21915, "L4I": 5479, "L5E": 4850, "L5I": 1065, "L6E": 14395, "L6I": 2948,
}  # fmt: skip
PROBABILITIES = (  # [P] Table 5, [N] conn_probs: rows are targets, columns are sources
    (0.1009, 0.1689, 0.0437, 0.0818, 0.0323, 0.0, 0.0076, 0.0),
    (0.1346, 0.1371, 0.0316, 0.0515, 0.0755, 0.0, 0.0042, 0.0),
    (0.0077, 0.0059, 0.0497, 0.135, 0.0067, 0.0003, 0.0453, 0.0),
    (0.0691, 0.0029, 0.0794, 0.1597, 0.0033, 0.0, 0.1057, 0.0),
    (0.1004, 0.0622, 0.0505, 0.0057, 0.0831, 0.3726, 0.0204, 0.0),
    (0.0548, 0.0269, 0.0257, 0.0022, 0.06, 0.3158, 0.0086, 0.0),
    (0.0156, 0.0066, 0.0211, 0.0166, 0.0572, 0.0197, 0.0396, 0.2252),
    (0.0364, 0.001, 0.0034, 0.0005, 0.0277, 0.008, 0.0658, 0.1443),
)
THALAMIC = (0.0, 0.0, 0.0983, 0.0619, 0.0, 0.0, 0.0512, 0.0196)  # [P] Table 5, [N] conn_probs_th
THALAMUS = 902  # neurons; [P] Table 5, [N] n_thal
THALAMIC_HZ = 120.0  # for 10 ms; [P] Table 4, [N] th_rate, th_duration
EXTERNAL = (1600, 1500, 2100, 1900, 2000, 1900, 2900, 2100)  # background inputs of a neuron; [P] Table 5, [N] K_ext
BACKGROUND_HZ = 8.0  # [P] Table 5, [N] bg_rate
AMPLITUDE_PA = 87.8  # of a synaptic current, which peaks at 0.15 mV; [P] Table 4, J
SPREAD = 0.1  # relative deviation of weights; [P] Table 4, [N] PSP_sd
INHIBITION = -4.0  # relative weight; [P] Table 4, [N] g
L4E_TO_L23E = 2.0  # relative weight; [P] Table 4, [N] get_mean_PSP_matrix
DELAY_MS = {"E": 1.5, "I": 0.75}  # [P] Table 4, [N] mean_delay_exc, mean_delay_inh
DELAY_SPREAD = 0.5  # relative deviation; [P] Table 4, [N] rel_std_delay
CAPACITANCE_PF, MEMBRANE_MS, SYNAPSE_MS, REFRACTORY_MS = 250.0, 10.0, 0.5, 2.0  # [P] Table 4, [N] neuron_params
THRESHOLD_MV = 15.0  # above rest, to which spikes reset; [P] Table 4, [N] V_th - E_L

LONGEST_STEPS = 60  # Loihi 2 holds delays of 63 steps (profile loihi2); further draws, 1 in 10**9, are made again
MESSAGE_BITS = 4  # of background events in a step: 2.3 on average, more than 15 in 1 of 10**8 steps
MODEL = neurons.get("cuba_refractory")


def microcircuit(scale: float = 1.0, seed: int = 55) -> Network:
    """Return the float network, with ``scale`` of its neurons: in-degrees shrink with them, probabilities stay."""
    sizes = {name: round(scale * n) for name, n in SIZES.items()}
    decay_u, decay_v = 1 - exp(-DT_MS / SYNAPSE_MS), 1 - exp(-DT_MS / MEMBRANE_MS)
    cells = MODEL(threshold=THRESHOLD_MV, decay_u=decay_u, decay_v=decay_v, bias=0.0, period=round(REFRACTORY_MS / DT_MS))
    weight = AMPLITUDE_PA * SYNAPSE_MS / CAPACITANCE_PF * decay_u  # mV a step; all steps together carry the charge of the current
    joined = _Joined(
        seed, sizes | {f"ext_{name}": n for name, n in sizes.items()} | {"thalamus": max(1, round(scale * THALAMUS))}
    )
    for target, probabilities, thalamic in zip(SIZES, PROBABILITIES, THALAMIC, strict=True):
        joined.add(f"ext_{target}", target, "one_to_one", Draw.constant(weight), 1.5)  # [N] poisson_delay
        for source, probability in zip(SIZES, probabilities, strict=True):
            factor = INHIBITION if source.endswith("I") else L4E_TO_L23E if (source, target) == ("L4E", "L23E") else 1.0
            joined.add(source, target, "fixed_probability", _around(factor * weight), DELAY_MS[source[-1]], probability)
        joined.add("thalamus", target, "fixed_probability", _around(weight), DELAY_MS["E"], thalamic)
    populations = (
        *(Population(f"ext_{name}", (n,), None, MESSAGE_BITS) for name, n in sizes.items()),
        Population("thalamus", (joined.sizes["thalamus"],), None),
        *(Population(name, (n,), cells) for name, n in sizes.items()),
    )
    return Network("microcircuit", populations, tuple(joined.connections), DT_MS * 1e-3)


def _around(mean: float) -> Draw:
    """Weights of one sign, within five deviations."""
    far = 5 * SPREAD * abs(mean)
    return Draw.normal(mean, SPREAD * abs(mean), mean - far, mean + far)


class _Joined:
    """The connections, as they are added."""

    def __init__(self, seed: int, sizes: dict[str, int]) -> None:
        self.seed, self.sizes, self.connections = seed, sizes, list[Connection]()

    def add(self, src: str, dst: str, pattern: Pattern, weight: Draw, delay_ms: float, probability: float = 0.0) -> None:
        """Join two populations, if they are."""
        if pattern == "fixed_probability" and not probability:
            return
        mean, all_alike = delay_ms / DT_MS, pattern == "one_to_one"
        delay = None if all_alike else Draw.normal(mean, DELAY_SPREAD * mean, 1, LONGEST_STEPS)
        seed = (self.seed << 32) + len(self.connections)
        rule = Rule(pattern, self.sizes[dst], self.sizes[src], weight, seed, probability=probability, delay=delay)
        self.connections.append(Connection(f"{src}_to_{dst}", src, dst, Dense(Ruled(rule)), round(mean) if all_alike else 0))


def background(net: Network, steps: int, seed: int = 0) -> dict[str, NDArray[np.uint8]]:
    """Return the raster of all inputs, (1, steps, n) each: Poisson events of the background, a thalamus that fires throughout."""
    rng = np.random.default_rng(seed)
    rasters = {"thalamus": (rng.random((1, steps, net["thalamus"].size)) < THALAMIC_HZ * DT_MS * 1e-3).astype(np.uint8)}
    for name, inputs in zip(SIZES, EXTERNAL, strict=True):
        mean = inputs * BACKGROUND_HZ * DT_MS * 1e-3
        events = rng.poisson(mean, (1, steps, net[name].size))
        rasters[f"ext_{name}"] = np.minimum(events, (1 << MESSAGE_BITS) - 1).astype(np.uint8)
    return rasters


def main() -> None:
    parser = argparse.ArgumentParser(description="Build the microcircuit, put it on Loihi 2 and simulate it.")
    parser.add_argument("--scale", type=float, default=1.0, help="part of the neurons")
    parser.add_argument("--steps", type=int, default=100, help="of 0.1 ms")
    parser.add_argument("--hw", default="hala_point", help="a system of Loihi 2")
    parser.add_argument("--lava", action="store_true", help="run the same steps in Lava and compare every spike and state")
    parser.add_argument("-o", "--out", type=Path, default=Path("microcircuit.snnc"), help="the quantised network")
    options = parser.parse_args()
    start = perf_counter()

    def told(what: object) -> None:
        print(f"{perf_counter() - start:7.1f} s  {what}", flush=True)

    net = microcircuit(options.scale)
    told(net)
    fixed = snnc.quantise(net, "loihi2")
    snnc.save(fixed, options.out, force=True)
    told(fixed)
    told(snnc.check(fixed, options.hw))
    inputs = background(fixed, options.steps)
    run = snnc.simulate(fixed, inputs, by="events")
    for name in SIZES:
        told(f"{name}: {run.spikes[name].mean() / (DT_MS * 1e-3):.2f} spikes/s in {options.steps} steps")
    if options.lava:
        program = snnc.export(fixed, "lava", options.out.with_suffix(""), force=True)
        told("exported to Lava")
        told(snnc.verify(program, fixed, inputs=inputs, timeout_s=7200))


if __name__ == "__main__":
    main()
