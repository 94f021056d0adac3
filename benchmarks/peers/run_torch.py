"""Contestant: snnTorch's Leaky behind dense or sparse (CSR) matrices of torch, in batches of several sizes.

All steps of a batch are multiplied at once, which is the fastest that torch can do; only where spikes come back, or in sparse
convolutions, which torch does not have, the network is what it is: stepped, or refused.
"""

from collections.abc import Iterator

import numpy as np
import snntorch
import torch
from case import Case, Wires, read, say, timed
from torch.nn import functional


def product(w: Wires, case: Case, form: str) -> object:
    """A function from (rows, n_src) messages to (rows, n_dst) currents."""
    if w.kernel is not None:
        kernel, g = torch.from_numpy(w.kernel.astype(np.float32)), w.geometry
        return lambda x: functional.conv2d(x.view(-1, *g["src_shape"]), kernel, None, g["stride"], g["padding"]).flatten(1)
    dense = np.zeros((case.size(w.dst), case.size(w.src)), np.float32)
    dense[w.post, w.pre] = w.weight
    if form == "dense":
        transposed = torch.from_numpy(dense).T.contiguous()
        return lambda x: x @ transposed
    sparse = torch.from_numpy(dense).to_sparse_csr()
    return lambda x: (sparse @ x.T).T


def model(case: Case, form: str) -> object:
    """A function from (steps, batch, n) input to (steps, batch, n) output spikes."""
    products = {w.name: product(w, case, form) for w in case.wires}
    neurons = {
        layer.name: snntorch.Leaky(layer.keep, layer.threshold, reset_mechanism="zero", reset_delay=False)
        for layer in case.layers
    }

    def layered(raster: torch.Tensor) -> torch.Tensor:
        steps, batch, _ = raster.shape
        fired = {case.wires[0].src: raster}
        for layer in case.layers:
            currents = sum(products[w.name](fired[w.src].reshape(steps * batch, -1)) for w in case.into(layer.name))
            currents = currents.reshape(steps, batch, -1)
            mem, spikes = torch.zeros_like(currents[0]), []
            for current in currents.unbind():
                spike, mem = neurons[layer.name](current, mem)
                spikes.append(spike)
            fired[layer.name] = torch.stack(spikes)
        return fired[case.layers[-1].name]

    def stepped(raster: torch.Tensor) -> torch.Tensor:
        batch = raster.shape[1]
        mem = {layer.name: torch.zeros(batch, layer.n) for layer in case.layers}
        last = {layer.name: torch.zeros(batch, layer.n) for layer in case.layers}
        spikes = []
        for messages in raster.unbind():
            fired = {case.wires[0].src: messages}
            for layer in case.layers:
                into = case.into(layer.name)
                current = sum(products[w.name](last[w.src] if w.delay else fired[w.src]) for w in into)
                fired[layer.name], mem[layer.name] = neurons[layer.name](current, mem[layer.name])
            last = fired
            spikes.append(fired[case.layers[-1].name])
        return torch.stack(spikes)

    return stepped if any(w.delay for w in case.wires) else layered


def batches(case: Case, size: int) -> Iterator[torch.Tensor]:
    """(steps, batch, n) float32."""
    for first in range(0, len(case.inputs), size):
        yield torch.from_numpy(case.inputs[first : first + size]).transpose(0, 1).float()


def main() -> None:
    """As many samples of each batch size as the settings allow."""
    case = read()
    form, timings, found = case.settings["form"], [], None
    if form == "sparse" and any(w.kernel is not None for w in case.wires):
        raise SystemExit("torch has no sparse convolution")
    torch.set_num_threads(case.settings["threads"])
    run = model(case, form)
    with torch.inference_mode():
        for size in case.settings["batches"]:
            seconds, found = timed(lambda size=size: torch.cat([run(x) for x in batches(case, size)], 1), case.settings["rounds"])
            timings.append({"batch": size, "samples": len(case.inputs), "seconds": seconds})
    say(f"snnTorch {snntorch.__version__}, torch {torch.__version__}", timings, found.transpose(0, 1).numpy(), case)


if __name__ == "__main__":
    main()
