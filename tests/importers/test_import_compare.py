"""After the import module and network run on the same rasters; and steps are read out of a raster in any way."""

from dataclasses import replace

import numpy as np
import pytest

from snnc.errors import UnsupportedError
from snnc.importers import ImportConfig

torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[train]'")
import snntorch as snn  # noqa: E402
from cases.snntorch_models import fired_in_torch, in_float64  # noqa: E402
from snntorch import spikegen  # noqa: E402
from torch import nn  # noqa: E402

from snnc.importers.snntorch import read_module  # noqa: E402
from snnc.simulation.reference import simulate  # noqa: E402
from snnc.training.from_snntorch import convert as convert_module  # noqa: E402

ZERO = {"beta": 0.8, "threshold": 0.35, "reset_mechanism": "zero"}
FIRST, SECOND = ImportConfig(time_axis="first"), ImportConfig(time_axis="second")


class Two(nn.Module):
    """Declares its last layer first; ``frames``: how steps are read, ``current``: what drives the first neurons."""

    def __init__(self, frames=list, current=None):
        super().__init__()
        torch.manual_seed(4)
        self.last, self.second = nn.Linear(14, 4), snn.Leaky(**ZERO)
        self.fc, self.first = nn.Linear(9, 14), snn.Leaky(**ZERO)
        self.frames, self.current = frames, current

    def forward(self, x):
        a, b, out = self.first.reset_mem(), self.second.reset_mem(), []
        for t, frame in enumerate(self.frames(x)):
            fired, a = self.first(self.fc(frame) if self.current is None else self.current(self, frame, t), a)
            fired, b = self.second(self.last(fired), b)
            out.append(fired)
        return torch.stack(out)


def differs(module, imported, axis=0, steps=90):
    """Slots of all layers that differ on a raster of its own; and their rate."""
    given = (np.random.default_rng(11).random((steps, 3, 9)) < 0.4).astype(np.float64)
    want, _ = fired_in_torch(in_float64(module), given if axis == 0 else np.moveaxis(given, 0, 1))
    run = simulate(imported.network, {"input": np.moveaxis(given, 0, 1).astype(np.uint8)})
    return sum(int((want[n] != run.spikes[n]).sum()) for n in want), np.mean([w.mean() for w in want.values()])


WAYS = {
    "slices": lambda x: [x[:, t, :] for t in range(x.shape[1])],
    "ellipsis": lambda x: [x[:, t, ...] for t in range(x.size(1))],
    "from the end": lambda x: [x[:, t - x.size(1)] for t in range(x.size(1))],
    "permuted": lambda x: list(x.permute(1, 0, 2)),
    "moved": lambda x: x.movedim(1, 0).unbind(),
    "split": lambda x: [part.flatten(1) for part in torch.split(x, 1, dim=1)],
    "chunk": lambda x: [part.squeeze(1) for part in x.chunk(x.shape[1], 1)],
    "narrow": lambda x: [x.narrow(1, t, 1)[:, 0] for t in range(x.shape[1])],
    "index": lambda x: [x.index_select(1, torch.tensor([t])).squeeze(1) for t in range(x.shape[1])],
    "last axis": lambda x: [x.permute(0, 2, 1)[..., t] for t in range(x.shape[1])],
    "flat": lambda x: list(x.transpose(0, 1).reshape(-1, 9).view(x.shape[1], -1, 9)),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_step_is_taken_out_of_a_raster_in_any_way(way):
    imported = read_module(Two(WAYS[way]), SECOND)
    apart, rate = differs(Two(WAYS[way]), imported, 1)
    assert apart == 0
    assert rate > 0.05


def test_a_layer_with_weights_may_run_before_the_loop():
    class Before(Two):
        def forward(self, x):
            currents = self.fc(x.flatten(0, 1)).view(*x.shape[:2], -1) * 2 - 0.1
            a, out = self.first.reset_mem(), []
            for current in currents:
                fired, a = self.first(current, a)
                out.append(fired)
            return torch.stack(out)

    assert differs(Before(), read_module(Before(), FIRST))[0] == 0


def test_features_may_be_chosen_and_turned_round():
    def mixed(module, x, t):
        return module.fc(torch.flip(x, (1,)))[:, [3, 1, 2, *range(11), 0, 4, 5][:14]] + 0.1

    imported = read_module(Two(current=mixed), FIRST)
    assert differs(Two(current=mixed), imported) == (0, pytest.approx(0.4, abs=0.2))


def of_samples(module, x, t):
    return module.fc(x.flip(0))


def late(module, x, t):
    module.seen = [*getattr(module, "seen", [])[-29:], x] if t else [x]
    return module.fc(x) + (torch.nn.functional.linear(module.seen[0], module.fc.weight) if t >= 29 else 0)


def test_samples_that_are_exchanged_are_refused():
    with pytest.raises(UnsupportedError, match=r"several steps or samples at once \(flip\); a step knows its own sample only"):
        read_module(Two(current=of_samples), FIRST)


def test_a_path_that_is_longer_than_the_trial_is_seen_by_the_comparison():
    with pytest.raises(UnsupportedError, match=r"test_import_compare.py:\d+: first was not understood: in step \d+ its "):
        read_module(Two(current=late), FIRST)
    module = Two(current=late)
    assert differs(Two(current=late), read_module(module, replace(FIRST, steps=80)))[0] == 0


def altered(change):
    """What `build` makes, with another network."""

    def build(*args):
        built = original(*args)
        return built and replace(built, network=change(built.network))

    original = convert_module.build
    return build


def other_weight(net):
    c = net.connections[0]
    values = c.op.synapses.values.copy()
    values[5] *= 1.0001
    return replace(net, connections=(replace(c, op=c.op.with_values(values)), *net.connections[1:]))


def other_decay(net):
    p = net.populations[-1]
    return replace(net, populations=(*net.populations[:-1], replace(p, neuron=replace(p.neuron, decay_v=np.array(0.20001)))))


def later(net):
    c = net.connections[-1]
    return replace(net, connections=(*net.connections[:-1], replace(c, delay_steps=1)))


@pytest.mark.parametrize("change", [other_weight, other_decay, later], ids=lambda change: change.__name__)
def test_a_network_that_is_not_the_module_is_never_handed_out(change, monkeypatch):
    monkeypatch.setattr(convert_module, "build", altered(change))
    with pytest.raises(UnsupportedError, match="was not understood: in step "):
        read_module(Two(), FIRST)
    trusted = read_module(Two(), replace(FIRST, trust=True))
    assert "was not compared with the module (--trust)" in trusted.notes[-1]


class Values(Two):
    """Returns the values of its last layer."""

    def forward(self, x):
        a, out = self.first.reset_mem(), []
        for frame in x:
            fired, a = self.first(self.fc(frame), a)
            out.append(self.last(fired))
        return torch.stack(out)


def test_values_that_are_returned_are_compared_too(monkeypatch):
    read_module(Values(), FIRST)
    monkeypatch.setattr(convert_module, "build", altered(other_bias))
    with pytest.raises(UnsupportedError, match="returns in step 0 another value 0 than the network"):
        read_module(Values(), FIRST)


def other_bias(net):
    p = net.populations[-1]
    return replace(net, populations=(*net.populations[:-1], replace(p, neuron=replace(p.neuron, bias=p.neuron.bias + 1e-3))))


def test_a_module_is_left_as_it_was():
    module = Two().train()
    module.kept = torch.ones(3)
    parameters = {name: (p, p.detach().clone()) for name, p in module.named_parameters()}
    read_module(module, FIRST)
    assert module.training
    assert module.kept.dtype == torch.float32
    for name, p in module.named_parameters():
        assert p is parameters[name][0]
        assert p.dtype == torch.float32
        assert torch.equal(p, parameters[name][1])


def test_float32_inside_of_forward_becomes_float64():
    def narrow(module, x, t):
        return module.fc(x.float()) + torch.full((14,), 0.1, dtype=torch.float32).to(torch.float32)

    assert not read_module(Two(current=narrow), FIRST).notes


def test_a_size_of_the_batch_that_is_baked_in_is_named():
    def baked(module, x, t):
        return module.fc(x) + torch.zeros(24, 14)

    with pytest.raises(UnsupportedError, match=r"takes batches of 24 and no other: .*; take the batch size from") as error:
        read_module(Two(current=baked), FIRST)
    assert error.value.exit_code == 4


def test_a_batch_that_is_used_is_noticed():
    def used(module, x, t):
        return module.fc(x) / 2 * len(x)

    with pytest.raises(UnsupportedError, match="first was not understood: in step"):
        read_module(Two(current=used), FIRST)


def test_a_threshold_of_the_wrong_shape_is_one_sentence():
    module = Two()
    module.first.threshold = torch.full((2, 14), 0.4)
    with pytest.raises(UnsupportedError, match=r"threshold of shape \(2, 14\) for neurons of shape \(14,\)"):
        read_module(module, replace(FIRST, trust=True, input_shape="9"))


class Plain(snn.Leaky):
    """Changes nothing."""

    def extra(self):
        return 1


class Other(snn.Leaky):
    """Its reset is its own."""

    def mem_reset(self, mem):
        return (mem > 0.3).to(mem.dtype)


def test_a_subclass_that_changes_nothing_is_its_base():
    module = Two()
    module.first = Plain(**ZERO)
    again = Two()
    again.first = Plain(**ZERO)
    assert differs(again, read_module(module, FIRST))[0] == 0
    module.first = Other(**ZERO)
    with pytest.raises(UnsupportedError, match="its class replaces mem_reset of Leaky, which changes its equations"):
        read_module(module, FIRST)


@pytest.mark.parametrize(("encode", "how"), [(spikegen.rate, "rate"), (spikegen.latency, "latency")])
def test_an_encoder_inside_of_forward_is_to_be_taken_out(encode, how):
    class Encodes(Two):
        def forward(self, x):
            return super().forward(encode(x, num_steps=20))

    with pytest.raises(UnsupportedError, match=f"spikegen.{how} makes inside of forward; take it out .* --encoding {how}"):
        read_module(Encodes(), ImportConfig(input_shape="9"))


def test_graded_input_is_compared_as_such():
    imported = read_module(Two(), replace(FIRST, message_bits=4))
    assert imported.network["input"].message_bits == 4
    given = np.random.default_rng(2).integers(0, 16, (50, 2, 9)) * (np.random.default_rng(3).random((50, 2, 9)) < 0.2)
    want, _ = fired_in_torch(in_float64(Two()), given.astype(np.float64))
    run = simulate(imported.network, {"input": np.moveaxis(given, 0, 1)})
    assert 0.05 < want["first"].mean() < 0.7
    assert all(np.array_equal(want[name], run.spikes[name]) for name in want)
