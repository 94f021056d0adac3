"""Neurons train by their own `step` in torch: it computes the reference's numbers, with the gradients of snnTorch and of the
compiled kernel."""

import numpy as np
import pytest

from snnc import neurons
from snnc.network.arithmetic import Float

torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[train]'")
snntorch = pytest.importorskip("snntorch", reason="snnTorch is not installed: pip install '.[train]'")
from snntorch import surrogate  # noqa: E402

from snnc.training.arithmetic import TorchFloat, with_tensors  # noqa: E402
from snnc.training.kernels.fire import fused, kernels  # noqa: E402

STEPS, SAMPLES, N = 30, 4, 16


def neuron_of(name, rng, **values):
    """An instance with a value of its own for each neuron."""
    model = neurons.get(name)
    example = {p: np.asarray(getattr(model.example(), p)) for p in model.parameters()}
    whole = {p: f.metadata["unit"].whole for p, f in model.parameters().items()}
    drawn = {p: np.broadcast_to(v, N) if whole[p] else v * rng.uniform(0.5, 1.0, N) for p, v in example.items()}
    return model(**{**drawn, **values})


def run(neuron, arith, currents, zeros):
    """(spikes, states) of every step."""
    state = {s.name: zeros + s.initial for s in neuron.states}
    fired, states = [], []
    for current in currents:
        state, spikes = neuron.step(state, current, arith)
        fired.append(spikes)
        states.append(state)
    return fired, states


def in_torch(neuron, currents, arith):
    """The spikes, (steps, samples, n), of a neuron's own step in torch."""
    values = {p: torch.tensor(getattr(neuron, p), dtype=currents.dtype) for p in neuron.parameters()}
    return torch.stack(run(with_tensors(neuron, values), arith, currents, torch.zeros_like(currents[0]))[0])


@pytest.mark.parametrize("name", neurons.names())
def test_torch_computes_the_floats_of_the_reference(name):
    rng = np.random.default_rng(0)
    neuron = neuron_of(name, rng)
    currents = rng.normal(0.2, 0.6, (STEPS, SAMPLES, N))
    fired, states = run(neuron, Float(), currents, np.zeros((SAMPLES, N)))
    got, got_states = run(with_tensors(neuron), TorchFloat(), torch.from_numpy(currents), torch.zeros(SAMPLES, N).double())
    assert (np.sum(fired) > 50) == neuron.rule.fires
    assert all((a == b.numpy()).all() for a, b in zip(fired, got, strict=True))
    for want, state in zip(states, got_states, strict=True):
        assert all((want[k] == state[k].numpy()).all() for k in neuron.variables())


def gradient(spikes_of, currents):
    """(spikes, gradient of the currents) for a loss that weighs every spike differently."""
    given = currents.clone().requires_grad_()
    spikes = spikes_of(given)
    (spikes * torch.randn(spikes.shape, generator=torch.Generator().manual_seed(5))).sum().backward()
    return spikes.detach(), given.grad


def alike(ours, theirs, currents):
    """Both fire equally, and their gradients agree."""
    (spikes, grad), (want, want_grad) = gradient(ours, currents), gradient(theirs, currents)
    assert 0.05 < want.mean() < 0.9
    assert torch.equal(spikes, want)
    assert want_grad.abs().max() > 0.1
    torch.testing.assert_close(grad, want_grad, rtol=1e-4, atol=1e-5 * float(want_grad.abs().max()))


def drawn():
    torch.manual_seed(1)
    return torch.randn(STEPS, SAMPLES, N) * 0.6 + 0.3


def tensor(array):
    return torch.tensor(array, dtype=torch.float32)


@pytest.mark.skipif(kernels() is None, reason="numba is not installed: pip install '.[train]'")
@pytest.mark.parametrize("attached", [False, True], ids=["detached", "attached"])
@pytest.mark.parametrize("name", ["lif", "cuba"])
def test_a_step_has_the_gradient_of_the_compiled_kernel(name, attached):
    neuron = neuron_of(name, np.random.default_rng(2), bias=0.0)
    decay_u = neuron.decay_u if name == "cuba" else np.ones(())
    rule = (tensor(1 - decay_u), tensor(1 - neuron.decay_v), tensor(neuron.threshold))

    def kernel(currents):
        return fused(currents.transpose(0, 1), STEPS, rule, attached=attached).transpose(0, 1)

    alike(lambda currents: in_torch(neuron, currents, TorchFloat(attached)), kernel, drawn())


LAYERS = {
    "lif": lambda beta, alpha: snntorch.Leaky(beta, reset_mechanism="zero", spike_grad=surrogate.atan()),
    "cuba": lambda beta, alpha: snntorch.Synaptic(
        alpha, beta, reset_mechanism="zero", reset_delay=False, spike_grad=surrogate.atan()
    ),
    "cuba_subtract": lambda beta, alpha: snntorch.Synaptic(alpha, beta, spike_grad=surrogate.atan()),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_step_has_the_gradient_of_snntorch(name):
    """A decay on the grid, so that 1 - decay is exact; snnTorch's Synaptic with reset_delay=False attaches the reset."""
    values = {"threshold": 1.0, "bias": 0.0, "decay_v": 0.125} | ({} if name == "lif" else {"decay_u": 0.5})
    layer = LAYERS[name](0.875, 0.5)

    def stepped(currents):
        state, fired = [torch.zeros_like(currents[0])] * (1 if name == "lif" else 2), []
        for current in currents:
            spikes, *state = layer(current, *state)
            fired.append(spikes)
        return torch.stack(fired)

    ours = TorchFloat(attached=name == "cuba")
    alike(lambda currents: in_torch(neurons.get(name)(**values), currents, ours), stepped, drawn())
