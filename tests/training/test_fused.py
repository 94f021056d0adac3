"""The compiled forms of training compute what snnTorch's steps and torch's operations compute, on any number of threads."""

import copy
import resource
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest

from snnc import data, store
from snnc.errors import ConfigError, UnsupportedError

torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[train]'")
snntorch = pytest.importorskip("snntorch", reason="snnTorch is not installed: pip install '.[train]'")
pytest.importorskip("numba", reason="numba is not installed: pip install '.[train]'")
from snntorch import surrogate  # noqa: E402

from snnc.training import methods  # noqa: E402
from snnc.training.kernels import fused_adam, heap, team  # noqa: E402
from snnc.training.kernels.fire import fire, why_not_fused  # noqa: E402
from snnc.training.methods.grad_r import GradR  # noqa: E402
from snnc.training.models import feedforward as models  # noqa: E402
from snnc.training.settings import TrainConfig  # noqa: E402
from snnc.training.train import train  # noqa: E402

BATCH, STEPS, N = 6, 12, 50


@pytest.fixture(autouse=True)
def _threads_as_before():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def leaky(**settings):
    return snntorch.Leaky(**{"beta": 0.9, "reset_mechanism": "zero", "spike_grad": surrogate.atan(), **settings})


def synaptic(**settings):
    common = {"alpha": 0.6, "beta": 0.9, "reset_mechanism": "zero", "reset_delay": False, "spike_grad": surrogate.atan()}
    return snntorch.Synaptic(**{**common, **settings})


def each(low, high):
    return torch.linspace(low, high, N)


NEURONS = {
    "leaky": lambda: leaky(),
    "leaky, reset at once": lambda: leaky(reset_delay=False),
    "leaky, a beta and a threshold for each neuron": lambda: leaky(beta=each(0, 1), threshold=each(0, 2)),
    "leaky, beta out of range": lambda: leaky(beta=1.5),
    "leaky, wide surrogate": lambda: leaky(spike_grad=surrogate.atan(alpha=0.7), threshold=0.5),
    "synaptic": lambda: synaptic(),
    "synaptic, each neuron its own": lambda: synaptic(alpha=each(0, 1), beta=each(1, 0), threshold=each(0.5, 3)),
}


def fired(neuron, currents, steps, kernel):
    """Spikes, and the gradient of the currents for a loss that weighs every spike differently."""
    given = currents.clone().requires_grad_()
    spikes = fire(neuron, given, steps, kernel)
    weights = torch.randn(spikes.shape, generator=torch.Generator().manual_seed(5))
    (spikes * weights).sum().backward()
    return spikes.detach(), given.grad


@pytest.mark.parametrize("constant", [False, True], ids=["raster", "constant"])
@pytest.mark.parametrize("make", NEURONS.values(), ids=NEURONS.keys())
def test_spikes_are_equal_and_gradients_close(make, constant):
    torch.manual_seed(1)
    currents = torch.randn(BATCH, 1 if constant else STEPS, N) * 0.8 + 0.3
    (naive, naive_gradient), (fused, gradient) = (fired(make(), currents, STEPS, kernel) for kernel in ("snntorch", "fused"))
    assert 0.05 < naive.mean() < 0.9
    assert torch.equal(naive, fused)
    assert gradient.abs().max() > 0.1
    torch.testing.assert_close(gradient, naive_gradient, rtol=1e-4, atol=1e-5 * float(naive_gradient.abs().max()))


def test_a_voltage_at_the_threshold_does_not_fire():
    """beta 0.5, a current of 0.5: v = 0.5, 0.75, 0.875, ... stays below 1; with 0.75: 0.75, 1.125 (fires), 0.75, ..."""
    currents = torch.tensor([[[1.0, 0.5, 0.75]]])
    spikes = fire(leaky(beta=0.5), currents, 4, "fused")[0].T
    assert spikes.tolist() == [[0, 1, 0, 1], [0, 0, 0, 0], [0, 1, 0, 1]]


@pytest.mark.parametrize("given", [1, STEPS])
def test_neurons_may_lie_in_memory_in_any_order(given):
    neuron = snntorch.Leaky(
        torch.rand(3, 5, 7), threshold=torch.rand(3, 1, 1) + 0.5, spike_grad=surrogate.atan(), reset_mechanism="zero"
    )
    last = (torch.randn(BATCH, given, 5, 7, 3) * 2).movedim(-1, 2).requires_grad_()
    first = last.detach().contiguous().requires_grad_()
    assert last.stride() != first.stride()
    rasters = [fire(neuron, currents, STEPS, "fused") for currents in (last, first)]
    assert torch.equal(*rasters)
    assert 0.05 < rasters[0].mean() < 0.6
    weights = torch.randn(rasters[0].shape)
    for raster in rasters:
        (raster * weights).sum().backward()
    assert torch.equal(last.grad, first.grad)
    assert rasters[0].stride()[2:] == last.stride()[2:], "without a copy"


def test_layers_of_any_shape_fire():
    torch.manual_seed(1)
    currents = torch.randn(2, STEPS, 3, 4, 5) + 0.5
    assert torch.equal(fire(leaky(), currents, STEPS, "fused"), fire(leaky(), currents, STEPS, "snntorch"))


OTHERS = {
    "subtract": lambda: leaky(reset_mechanism="subtract"),
    "learned": lambda: leaky(learn_beta=True),
    "atan": lambda: leaky(spike_grad=surrogate.fast_sigmoid()),
    "a step late": lambda: synaptic(reset_delay=True),
    "graded": lambda: leaky(graded_spikes_factor=2.0),
    "below 0": lambda: leaky(threshold=-0.1),
    "hidden states": lambda: leaky(init_hidden=True),
    "Leaky and Synaptic": lambda: snntorch.Alpha(0.9, 0.8),
}


@pytest.mark.parametrize(("word", "make"), OTHERS.items(), ids=OTHERS.keys())
def test_other_neurons_take_snntorchs_steps(word, make):
    neuron = make()
    if word in ("subtract", "learned", "atan", "a step late", "graded", "below 0"):
        torch.manual_seed(1)
        currents = torch.randn(BATCH, STEPS, N) + 0.3
        assert torch.equal(fire(neuron, currents, STEPS), fire(make(), currents, STEPS, "snntorch"))
    expected = {"subtract": "reset is not to zero", "graded": "graded", "atan": "surrogate"}.get(word, word)
    assert expected in why_not_fused(neuron)
    with pytest.raises(UnsupportedError, match="no fused kernel"):
        fire(neuron, torch.zeros(1, 1, N), STEPS, "fused")


def test_hooks_are_called():
    seen, neuron = [], leaky()
    neuron.register_forward_hook(lambda *_: seen.append(1))
    fire(neuron, torch.zeros(BATCH, 1, N), STEPS)
    assert len(seen) == STEPS


def test_float64_takes_snntorchs_steps():
    currents = torch.full((1, 1, 1), 0.3, dtype=torch.float64)
    assert fire(leaky(), currents, STEPS).dtype == torch.float64


def test_no_result_depends_on_the_threads(monkeypatch):
    monkeypatch.setattr(team, "GRAIN", 0)
    found = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        torch.manual_seed(1)
        currents = torch.randn(BATCH, STEPS, N) + 0.3
        found.append(fired(synaptic(), currents, STEPS, "fused") + tuple(pruned(steps=90)))
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))


@pytest.mark.skipif(sys.platform != "linux", reason="torch's threads are reached on Linux only")
def test_torchs_own_threads_work():
    torch.set_num_threads(2)
    seen, both = set(), threading.Barrier(2, timeout=60)

    def note(first, last):
        if len(seen) < 2:
            seen.add(threading.get_ident())
            both.wait()

    team.split(note, 2, team.GRAIN)
    assert len(seen) == 2


def test_every_share_is_worked_on_once_and_failures_come_through():
    torch.set_num_threads(3)
    seen = np.zeros(100, int)

    def mark(first, last, array):
        array[first:last] += 1

    team.split(mark, 100, team.GRAIN, seen)
    assert (seen == 1).all()

    def fail(first, last):
        raise ValueError("in a thread")

    with pytest.raises(ValueError, match="in a thread"):
        team.split(fail, 100, team.GRAIN)


class Task:
    """Two random layers under a method, with gradients that only the step decides."""

    def __init__(self, method="grad_r", **settings):
        torch.manual_seed(0)
        self.layers = [torch.nn.Parameter(torch.randn(70, 90) * 0.1), torch.nn.Parameter(torch.randn(10, 70) * 0.1)]
        options = {"connectivity": 0.3, "steps": 100, "lr": 3e-3, **settings}
        self.optimizer = methods.get(method)([{"params": self.layers, "prune": True}], **options)
        self.done = 0

    def step(self):
        draws = torch.Generator().manual_seed(self.done)
        for p in self.layers:
            p.grad = p.detach() + torch.randn(p.shape, generator=draws)
        self.optimizer.step()
        self.done += 1

    def values(self):
        states = [self.optimizer.state[p][key] for p in self.layers for key in ("theta", "sign", "exp_avg", "exp_avg_sq", "mask")]
        return [p.detach() for p in self.layers] + states


def pruned(steps):
    """Weights, theta, signs, moments and masks at the end."""
    task = Task()
    for _ in range(steps):
        task.step()
    return task.values()


GRAD_R = ({"prior": "paper"}, {"connectivity": 0.01}, {"connectivity": 0.6})


@pytest.mark.parametrize("settings", [*GRAD_R, *({"method": name} for name in methods.names())], ids=str)
def test_every_fused_update_is_the_eager_one(settings, monkeypatch):
    """Each from the same state, as roundings decide in the end about synapses near the cut; 75 steps rewire, 25 keep."""
    eager, fused, moved, applies = Task(**settings), Task(**settings), [], fused_adam.applies
    for _ in range(100):
        fused.optimizer.load_state_dict(copy.deepcopy(eager.optimizer.state_dict()))
        with torch.no_grad():
            for a, b in zip(fused.layers, eager.layers, strict=True):
                a.copy_(b)
        before = [value.clone() for value in eager.values()]
        fused.step()
        monkeypatch.setattr(fused_adam, "applies", lambda p: False)
        eager.step()
        monkeypatch.setattr(fused_adam, "applies", applies)
        for a, b in zip(fused.values(), eager.values(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-7)
        moved.append(all((a != b).any() for a, b in zip(before[:2], eager.values()[:2], strict=True)))
    assert all(moved)


def test_arrays_of_a_step_are_not_new_pages_in_the_next():
    if not heap.keep():
        pytest.skip("the C library has no mallopt or refuses its settings, so nothing is kept")

    def faults(times):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(times):
            torch.zeros(2**21)
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    faults(5)  # the heap grows
    assert faults(20) < 2**21 * 4 // 4096, "pages of one array of twenty"


def test_a_layer_that_would_lose_all_keeps_one():
    p = torch.nn.Parameter(torch.full((3, 3), 0.1))
    optimizer = GradR([{"params": [p], "prune": True}], connectivity=1.0, steps=100, lr=1.0)
    p.grad = torch.ones(3, 3)
    optimizer.step()
    assert int((p != 0).sum()) == 1


def test_a_gradient_that_is_no_number_is_not_hidden():
    p = torch.nn.Parameter(torch.full((3, 3), 0.1))
    optimizer = GradR([{"params": [p], "prune": True}], connectivity=1.0, steps=100)
    p.grad = torch.full((3, 3), torch.nan)
    optimizer.step()
    assert p.isnan().sum() >= 8, "one synapse is kept as long as a layer has none"


CONFIG = TrainConfig(hidden=(16,), steps=6, epochs=2, lr=0.02, loss="counts", batch_size=32)


@pytest.fixture(scope="module")
def digits():
    pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install '.[train]'")
    return data.load("digits").first(300)


@pytest.mark.parametrize("settings", [{"encoding": "constant"}, {"neuron": "synaptic"}, {"bias": True}], ids=str)
def test_both_kernels_train_alike(digits, settings):
    fused, naive = (train(digits, None, replace(CONFIG, kernel=k, **settings)) for k in ("fused", "snntorch"))
    for a, b in zip(fused.connections, naive.connections, strict=True):
        np.testing.assert_allclose(a.op.synapses.to_dense(), b.op.synapses.to_dense(), rtol=0, atol=5e-3)
    rates = [net.done[0].settings["reached"]["train_accuracy"] for net in (fused, naive)]
    assert rates[0] == pytest.approx(rates[1], abs=0.02)


def test_the_first_layer_of_a_constant_is_computed_once(digits):
    model = models.build((64, 16, 10))
    seen = []
    model.fc1.register_forward_hook(lambda module, given, out: seen.append(tuple(out.shape)))
    image = torch.rand(5, 64)
    once = model(image[:, None].expand(-1, 7, -1))
    again = model(image[:, None].repeat(1, 7, 1))
    assert seen == [(5, 1, 16), (5, 7, 16)]
    assert once.shape == again.shape == (5, 7, 10)


def test_the_fused_kernel_is_for_the_cpu():
    with pytest.raises(ConfigError, match="CPU only"):
        TrainConfig(kernel="fused", device="cuda")


def test_two_runs_give_equal_bytes(digits):
    config = replace(CONFIG, encoding="constant", kernel="fused", threads=2)
    assert store.dumps(train(digits, None, config)) == store.dumps(train(digits, None, config))
