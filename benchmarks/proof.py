"""The range proof on the publication's CIFAR-10 network at full size, pruned to 1 % at random, and which bounds are reached.

6Conv2FC of Chen et al., IJCAI 2021, as benchmarks/full_size.py builds it: 36.7 million weights, 1,614.7 million synapses when
unrolled. Each proof is timed on the quantised network; the bounds of the first layer are held against inputs built for them,
run by the reference.

    python benchmarks/proof.py [--connectivity 0.01] [--hw kapoho_point] [--json results/proof.json]
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from full_size import arguments, peak_megabytes, random_network
from peers import machine

from snnc import chips
from snnc.analysis.range_proof import RangeProof, prove_ranges
from snnc.network.model import Network
from snnc.passes.quantise import quantise
from snnc.training.models.convnet import ConvNetConfig
from snnc.verification.refute import RegisterEnd, drive

MOST_SECONDS = 10.0
STEPS = 200  # of the inputs that are built


def reached(net: Network, proof: RangeProof, name: str) -> dict[str, Any]:
    """Bounds of a population, and what an input built for each led to in the reference."""
    found = {}
    for state, held in proof.reaches[name].held.items():
        for upward in (True, False):
            neuron = int((held.high if upward else -held.low).argmax())
            driven = drive(net, RegisterEnd(name, neuron, state, upward), STEPS)
            bound = int((held.high if upward else held.low)[neuron])
            found[f"{state} {'upward' if upward else 'downward'}"] = {
                "neuron": neuron, "bound": bound, "reached": driven and driven.value,
            }  # fmt: skip
    return found


def timed_cpu(stage: Callable[[], Any]) -> tuple[Any, float, float]:
    """(result, seconds on the clock, seconds of the processor)."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = stage()
    return result, round(time.perf_counter() - wall, 2), round(time.process_time() - cpu, 2)


def main() -> int:
    """Print one JSON object, and write it if asked to. Exit code 1 if a proof takes too long or a bound of u is not reached."""
    args = arguments(__doc__)
    net = quantise(random_network(ConvNetConfig(), args.connectivity, args.seed, vote=False), chips.load(args.hw))
    first = next(p.name for p in net.ordered if p.neuron)
    runs: dict[str, dict[str, Any]] = {}
    for name, settings in {"ever": {}, "32 steps": {"steps": 32}, "64 messages a step": {"max_spikes_per_step": 64}}.items():
        proof, wall, cpu = timed_cpu(lambda settings=settings: prove_ranges(net, **settings))
        print(f"{name}: {wall} s, {cpu} s of the processor, holds: {proof.holds}", file=sys.stderr)
        runs[name] = {"seconds": wall, "cpu_seconds": cpu, **proof.to_json()}
    bounds = reached(net, prove_ranges(net), first)
    ops = [c.op for c in net.connections]
    found = {
        "schema": "snnc.benchmark-proof/1", "connectivity": args.connectivity, "seed": args.seed, "network_hash": net.hash,
        "neurons": sum(p.size for p in net.populations if p.neuron), "weights": sum(op.parameters for op in ops),
        "weights_that_exist": sum(op.synapses.count for op in ops), "synapses": sum(op.possible_synapses for op in ops),
        "synapses_that_exist": sum(op.synapse_count for op in ops), "proofs": runs, "first_layer": {first: bounds},
        "peak_megabytes": peak_megabytes(), "machine": machine.described(), "commit": machine.commit(),
    }  # fmt: skip
    text = json.dumps(found, indent=1)
    print(text)
    if args.json:
        args.json.write_text(text + "\n")
    tight = all(b["bound"] == b["reached"] for register, b in bounds.items() if register.startswith("u "))
    return 0 if tight and max(r["cpu_seconds"] for r in runs.values()) < MOST_SECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
