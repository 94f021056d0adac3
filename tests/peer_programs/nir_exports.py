"""Networks of others, written as NIR files by their own exporters: python nir_exports.py FOLDER

FOLDER gets NAME.nir and NAME.npz for each: `inputs` (samples, steps, ...), and what each layer of neurons fired in the tool,
(samples, steps, n), under the name that its node has in the file. Kernels are square: nir infers wrong shapes for others.
"""

import sys
import warnings
from pathlib import Path

import nir
import numpy as np
import snntorch as snn
import torch
from torch import nn

warnings.simplefilter("ignore")
SAMPLES, STEPS = 2, 200


def spread(low, high, *shape):
    return torch.empty(shape).uniform_(low, high)


def driven(module):
    """Weights with which neurons fire."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            fan = layer.weight[0].numel()
            nn.init.normal_(layer.weight, 1.2 / fan, fan**-0.5)
            if layer.bias is not None:
                nn.init.normal_(layer.bias, 0.0, 0.05)
    for layer in module:
        if hasattr(layer, "recurrent"):
            nn.init.normal_(layer.recurrent.weight, -0.02, 0.05)
    return module


def leaky(*shape, **options):
    return snn.Leaky(spread(0.5, 0.9, *shape), spread(0.5, 1.0, *shape), init_hidden=True, reset_mechanism="zero", **options)


def snntorch_chain():
    current = snn.Synaptic(spread(0.1, 0.4, 80), spread(0.3, 0.8, 80), spread(0.8, 1.5, 80), init_hidden=True,
                           reset_mechanism="zero", reset_delay=False)  # fmt: skip
    return nn.Sequential(
        nn.Linear(30, 100), leaky(100), nn.Linear(100, 80, bias=False), current, nn.Linear(80, 50), leaky(50, output=True)
    )


def snntorch_planes():
    return nn.Sequential(
        nn.Conv2d(2, 8, 3, stride=(2, 1), padding=(1, 0), groups=2), leaky(8, 5, 6), nn.AvgPool2d((1, 2)),
        nn.Conv2d(8, 6, 2, dilation=(1, 2)), leaky(6, 4, 1), nn.Flatten(), nn.Linear(24, 20), leaky(20, output=True),
    )  # fmt: skip


def snntorch_recurrence():
    layer = snn.RLeaky(spread(0.5, 0.9, 60), linear_features=60, threshold=spread(0.5, 1.0, 60), init_hidden=True,
                       reset_mechanism="zero", reset_delay=False)  # fmt: skip
    return nn.Sequential(nn.Linear(30, 60), layer, nn.Linear(60, 40), leaky(40, output=True))


def sinabs_options():
    import sinabs.activation as sa

    return {"spike_fn": sa.SingleSpike, "reset_fn": sa.MembraneReset(), "batch_size": 1}


def sinabs_chain():
    import sinabs.layers as sl

    layers = [
        sl.LIFSqueeze(tau_mem=spread(1, 8, n), spike_threshold=torch.full((n,), 0.25), **sinabs_options()) for n in (100, 60)
    ]
    return nn.Sequential(nn.Linear(30, 100), layers[0], nn.Linear(100, 60, bias=False), layers[1])


def sinabs_planes():
    import sinabs.layers as sl

    first, second = (sl.IAFSqueeze(spike_threshold=torch.tensor(t), **sinabs_options()) for t in (1.5, 3.0))
    return nn.Sequential(nn.Conv2d(2, 6, 3, stride=(2, 1), bias=False), first, sl.SumPool2d(2, stride=2), nn.Flatten(),
                         nn.Linear(36, 40, bias=False), second)  # fmt: skip


def norse_chain():
    import norse.torch as norse

    def box(n):
        tau, leak, threshold = spread(50, 300, n), torch.zeros(n), spread(0.2, 0.4, n)
        return norse.LIFBoxCell(norse.LIFBoxParameters(tau_mem_inv=tau, v_leak=leak, v_th=threshold))

    return norse.SequentialState(nn.Linear(30, 100), box(100), nn.Linear(100, 60, bias=False), box(60))


def norse_factors():
    import norse.torch as norse

    def cell(n):
        inverse = {"tau_syn_inv": spread(100, 500, n), "tau_mem_inv": spread(50, 300, n)}
        return norse.LIFCell(norse.LIFParameters(**inverse, v_leak=torch.zeros(n), v_th=spread(0.5, 1.0, n)))

    whole = norse.IAFCell(norse.IAFParameters(v_th=spread(1.0, 3.0, 40)))
    layers = (nn.Linear(30, 100, bias=False), cell(100), nn.Linear(100, 60, bias=False), cell(60))
    return norse.SequentialState(*layers, nn.Linear(60, 40, bias=False), whole)


CASES = {
    "snntorch_chain": (snntorch_chain, (30,)), "snntorch_planes": (snntorch_planes, (2, 9, 8)),
    "snntorch_recurrence": (snntorch_recurrence, (30,)), "sinabs_chain": (sinabs_chain, (30,)),
    "sinabs_planes": (sinabs_planes, (2, 9, 8)), "norse_chain": (norse_chain, (30,)), "norse_factors": (norse_factors, (30,)),
}  # fmt: skip


def exported(name, module, shape):
    if name.startswith("snntorch"):
        from snntorch.export_nir import export_to_nir

        return export_to_nir(module, torch.zeros(1, *shape), ignore_dims=[0])
    if name.startswith("norse"):
        from norse.torch import to_nir

        return to_nir(module, torch.zeros(*shape))
    from sinabs.nir import to_nir

    graph = to_nir(module, torch.zeros(1, *shape))
    graph.infer_types()  # without, nir cannot write the convolutions of sinabs
    return graph


def fired(name, module, inputs):
    """Spikes of each layer of neurons, from a fresh state; sinabs takes all steps at once, Norse is handed its states."""
    seen = {}
    for number, layer in enumerate(module):
        if isinstance(layer, snn.SpikingNeuron):
            layer.reset_mem()
        elif hasattr(layer, "reset_states"):
            layer.reset_states()
        elif type(layer).__module__.split(".")[0] != "norse":
            continue

        def heard(_, __, out, key=str(number)):
            seen.setdefault(key, []).append((out[0] if isinstance(out, tuple) else out).flatten(1))

        layer.register_forward_hook(heard)
    state = ()
    for chunk in [inputs] if name.startswith("sinabs") else inputs[:, None]:
        answer = module(chunk, *state)
        state = answer[1:] if name.startswith("norse") else ()
    return {key: torch.cat(rows).numpy() for key, rows in seen.items()}


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for name, (make, shape) in CASES.items():
        torch.manual_seed(1)
        module = driven(make()).eval()
        raster = (torch.rand(SAMPLES, STEPS, *shape) < 0.4).float()
        with torch.no_grad():
            nir.write(folder / f"{name}.nir", exported(name, module, shape))
            samples = [fired(name, module, sample) for sample in raster]
        found = {key: np.stack([s[key] for s in samples]).astype(np.uint8) for key in samples[0]}
        np.savez(folder / f"{name}.npz", inputs=raster.numpy().astype(np.uint8), **found)
