"""Run a .net file as lava-dl's own netx builds it, in Lava: python netx_in_lava.py JOBS.json OUTPUTS.npz

JOBS.json lists {"file", "inputs" (.npy: 1, steps, n), "shape"}; OUTPUTS.npz gets the spikes of every layer, (1, steps, n) with
channels first, as NUMBER.LAYER, moved back by a step a layer, which is what a hop takes in Lava.
"""

import json
import sys
from pathlib import Path

import numpy as np
from absent import hashable_dataclasses

with hashable_dataclasses():
    from lava.lib.dl.netx.hdf5 import Network
    from lava.magma.core.run_conditions import RunSteps
    from lava.magma.core.run_configs import Loihi2SimCfg
    from lava.proc.io.sink import RingBuffer as Sink
    from lava.proc.io.source import RingBuffer as Source


def run(file, inputs, shape):
    """The spikes of every layer, of one sample: resets let a recurrent layer hear the last spikes of the sample before."""
    steps = len(inputs)
    net = Network(net_config=file, input_shape=tuple(shape[::-1]), reset_interval=4 * steps, reset_offset=1)
    planes = inputs.reshape(-1, *shape).transpose(*range(len(shape), -1, -1)) if len(shape) > 1 else inputs.T
    source, sinks = Source(data=planes), []
    source.s_out.connect(net.inp)
    for layer in net.layers:
        sinks.append(Sink(shape=layer.neuron.s_out.shape, buffer=steps + len(net.layers)))
        layer.neuron.s_out.connect(sinks[-1].a_in)
    source.run(condition=RunSteps(steps + len(net.layers)), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
    found = [sink.data.get() for sink in sinks]
    source.stop()
    return [in_our_order(data)[i + 1 :][:steps] for i, data in enumerate(found)]


def in_our_order(data):
    """(x, y, channel, time) or (n, time) as (steps, n) with channels first."""
    return data.transpose(range(data.ndim - 1, -1, -1)).reshape(data.shape[-1], -1).astype(np.uint8)


if __name__ == "__main__":
    arrays = {}
    for number, job in enumerate(json.loads(Path(sys.argv[1]).read_text())):
        for layer, spikes in enumerate(run(job["file"], np.load(job["inputs"])[0], job["shape"])):
            arrays[f"{number}.{layer}"] = spikes[None]
    np.savez(sys.argv[2], numpy=np.array(np.__version__), **arrays)
