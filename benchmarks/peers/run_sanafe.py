"""Contestant: SANA-FE with its simple timing model on its own description of Loihi. Called only; it is under the GPL.

Counted is the simulation of each sample; setting the input's spike trains and resetting the chip is not.
"""

import time
from importlib import metadata

import numpy as np
import sanafe
from case import Case, read, say

CORE = 1024  # neurons of a core in SANA-FE's Loihi


def build(case: Case, cores: list) -> "sanafe.Network":
    """The network, each population on cores of its own."""
    net, used, groups = sanafe.Network(), 0, {}
    sizes = {case.wires[0].src: None} | {layer.name: layer for layer in case.layers}
    for name, layer in sizes.items():
        n = case.size(name)
        attributes = {"threshold": layer.threshold, "leak_decay": layer.keep, "force_update": True} if layer else {}
        groups[name] = net.create_neuron_group(
            name, n, model_attributes=attributes, soma_hw_name="loihi_lif", default_synapse_hw_name="loihi_sparse_synapse",
            default_dendrite_hw_name="loihi_dendrites", log_spikes=layer is case.layers[-1],
        )  # fmt: skip
        for i, neuron in enumerate(groups[name]):
            if layer is None:
                neuron.set_attributes(soma_hw_name=f"loihi_inputs[{i % CORE}]")
            neuron.map_to_core(cores[used + i // CORE])
        used += -(-n // CORE)
    for w in case.wires:
        pairs = list(zip(w.pre.tolist(), w.post.tolist(), strict=True))
        groups[w.src].connect_neurons_sparse(groups[w.dst], {"weight": w.weight.astype(float).tolist()}, pairs)
    return net


def simulated(chip: "sanafe.SpikingChip", case: Case, threads: int) -> tuple[float, np.ndarray]:
    """Seconds, and the output's spikes; one sample after the other, from a fresh state."""
    late, output, seconds = len(case.layers), case.layers[-1], 0.0
    spikes = np.zeros((len(case.inputs), case.steps + late, output.n), np.uint8)
    for sample, raster in enumerate(case.inputs):
        trains = np.pad(raster, ((0, late), (0, 0))).astype(bool).T
        for neuron, train in zip(chip.mapped_neuron_groups[case.wires[0].src], trains, strict=True):
            neuron.set_attributes(model_attributes={"spikes": train.tolist()})
        chip.reset()
        start = time.perf_counter()
        said = chip.sim(case.steps + late, timing_model="simple", spike_trace=True, processing_threads=threads)
        seconds += time.perf_counter() - start
        for step, fired in enumerate(said["spike_trace"]):
            spikes[sample, step, [neuron.neuron_offset for neuron in fired]] = 1
    return seconds * case.steps / (case.steps + late), spikes[:, late:]  # of the steps that the others run as well


def main() -> None:
    """On one thread and on all; which is faster depends on the network."""
    case = read()
    arch = sanafe.load_loihi()
    chip = sanafe.SpikingChip(arch)
    chip.load(build(case, arch.cores()))
    timings = []
    for threads in {1, case.settings["threads"]}:
        seconds, spikes = simulated(chip, case, threads)
        timings.append({"threads": threads, "samples": len(case.inputs), "seconds": [seconds]})
    say(f"SANA-FE {metadata.version('sanafe')}", timings, spikes, case)


if __name__ == "__main__":
    main()
