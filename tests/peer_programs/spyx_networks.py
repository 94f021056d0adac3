"""Networks of Spyx 1.0.0 as it writes and runs them, the source of tests/golden/spyx: python spyx_networks.py FOLDER

FOLDER gets NAME.nir, written by Spyx's own to_nir with dt = 1, and for those that it shares with snnc spikes.npz: NAME.inputs
(steps, batch, n) with channels first, and NAME.spikes (steps, batch, n) of the last neurons. It needs jax, flax and nir.
"""

import sys
import types
from pathlib import Path

import numpy as np


class Absent(types.ModuleType):
    """Stands for a package that Spyx imports to load data."""

    __path__ = ()

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


for absent in ("grain", "grain.python", "jax_tqdm"):
    sys.modules[absent] = Absent(absent)
sys.modules["grain"].python = sys.modules["grain.python"]
import jax.numpy as jnp  # noqa: E402
import nir  # noqa: E402
from flax import nnx  # noqa: E402
from spyx import nir as spyx_nir  # noqa: E402
from spyx import nn as snn  # noqa: E402

STEPS, SAMPLES = 60, 3


def linear(n_src, n, rngs, bias=True):
    layer = nnx.Linear(n_src, n, use_bias=bias, rngs=rngs)
    rng = np.random.default_rng(n_src)
    layer.kernel[...] = jnp.array(rng.normal(0.8 / n_src, 1.5 / np.sqrt(n_src), (n_src, n)))
    if bias:
        layer.bias[...] = jnp.array(rng.normal(0.05, 0.1, n))
    return layer


def conv(n_src, n, rngs):
    layer = nnx.Conv(n_src, n, (3, 3), padding="SAME", rngs=rngs)
    layer.kernel[...] = jnp.array(np.random.default_rng(n).normal(0.1, 0.4, (3, 3, n_src, n)))
    return layer


def dense(rngs):
    own = snn.LIF((20,), threshold=0.5, rngs=rngs)
    own.beta[...] = jnp.array(np.linspace(-0.1, 0.98, 20))
    last = snn.LIF((5,), beta=0.6, threshold=0.4, rngs=rngs)
    return [linear(12, 20, rngs), own, linear(20, 9, rngs, bias=False), snn.IF((9,)), linear(9, 5, rngs), last], (12,)


def planes(rngs):
    first, second = snn.LIF((6, 8, 3), beta=0.7, threshold=0.6, rngs=rngs), snn.LIF((3, 4, 1), beta=0.5, threshold=0.5, rngs=rngs)
    pool = snn.SumPool((2, 2), (2, 2), "VALID")
    last = snn.LIF((4,), beta=0.8, threshold=1.2, rngs=rngs)
    return [conv(2, 3, rngs), first, pool, conv(3, 1, rngs), second, snn.Flatten(), linear(12, 4, rngs), last], (2, 6, 8)


def channels(rngs):
    return [conv(2, 3, rngs), snn.LIF((4, 4, 3), beta=0.7, rngs=rngs), snn.Flatten(), linear(48, 4, rngs), snn.IF((4,))], (
        2,
        4,
        4,
    )


def current(rngs):
    return [linear(12, 9, rngs), snn.CuBaLIF((9,), alpha=0.4, beta=0.7, threshold=1.0, rngs=rngs)], (12,)


def recurrent(rngs):
    return [linear(12, 9, rngs), snn.RLIF((9,), beta=0.7, threshold=1.0, rngs=rngs)], (12,)


def without_reset(rngs):
    return [linear(12, 9, rngs), snn.PSU_LIF((9,), beta=0.7, threshold=1.0, rngs=rngs)], (12,)


SHARED = (dense, planes)
NETWORKS = (*SHARED, channels, current, recurrent, without_reset)

if __name__ == "__main__":
    folder, found = Path(sys.argv[1]), {}
    for make in NETWORKS:
        layers, shape = make(nnx.Rngs(0))
        model, name = snn.Sequential(*layers), make.__name__
        graph = spyx_nir.to_nir(model, {"input": np.array(shape)}, {"output": np.array([layers[-1].hidden_shape[0]])}, dt=1)
        nir.write(folder / f"{name}.nir", graph)
        if make in SHARED:
            x = (np.random.default_rng(3).random((STEPS, SAMPLES, *shape)) < 0.3).astype(np.float32)
            spikes, _ = snn.run(model, jnp.array(np.moveaxis(x, 2, -1)))
            found |= {
                f"{name}.inputs": x.reshape(STEPS, SAMPLES, -1).astype(np.uint8),
                f"{name}.spikes": np.asarray(spikes, np.uint8),
            }
    np.savez_compressed(folder / "spikes.npz", **found)
