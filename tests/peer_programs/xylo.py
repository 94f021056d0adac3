"""Run neurons of a Xylo in its maker's simulator: python xylo.py NETWORK.npz OUTPUTS.npz

NETWORK.npz: weights (n_in, n), dash_syn, dash_mem and threshold (n,), inputs (steps, n_in). OUTPUTS.npz: spikes, u, v (steps, n).
"""

import sys

import numpy as np
from xylosim.v2 import XyloLayer, XyloSynapse

given = np.load(sys.argv[1])
weights, n = given["weights"], given["weights"].shape[1]
# The simulator keeps pointers to synapses, and nothing that keeps them alive.
synapses = [[XyloSynapse(j, 0, int(row[j])) for j in range(n)] for row in weights]
readout, nothing = [[XyloSynapse(0, 0, 1)] for _ in range(n)], [[] for _ in range(n)]
layer = XyloLayer(
    synapses_in=synapses, synapses_rec=nothing, synapses_out=readout, aliases=nothing, threshold=given["threshold"].tolist(),
    threshold_out=[1000], has_bias=False, bias=[0] * n, bias_out=[0], weight_shift_inp=0, weight_shift_rec=0, weight_shift_out=0,
    dash_mem=given["dash_mem"].tolist(), dash_mem_out=[1], dash_syns=[[int(d), 1] for d in given["dash_syn"]],
    dash_syns_out=[[1]], name="xylo",
)  # fmt: skip
layer.evolve(given["inputs"].tolist())
np.savez(sys.argv[2], spikes=layer.rec_recurrent_spikes, u=np.array(layer.rec_i_syn).T, v=np.array(layer.rec_v_mem).T)
