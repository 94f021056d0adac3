"""A torch module is pruned over a DataLoader or a data set, and imported as it is."""

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

import snntorch  # noqa: E402
from torch import nn  # noqa: E402
from torch.utils.data import DataLoader, TensorDataset  # noqa: E402

import snnc  # noqa: E402
from snnc import data  # noqa: E402


class Net(nn.Module):
    """64-20-10, four steps of a constant image."""

    def __init__(self, steps=4):
        super().__init__()
        torch.manual_seed(1)
        self.fc1, self.fc2, self.steps = nn.Linear(64, 20), nn.Linear(20, 10), steps
        self.hidden, self.output = (snntorch.Leaky(0.9, reset_mechanism="zero") for _ in range(2))

    def forward(self, images):
        current = self.fc1(images.flatten(1))
        hidden, output, fired = self.hidden.init_leaky(), self.output.init_leaky(), []
        for _ in range(self.steps):
            spikes, hidden = self.hidden(current, hidden)
            spikes, output = self.output(self.fc2(spikes), output)
            fired.append(spikes)
        return torch.stack(fired, 1)


def loader(split="train", shuffle=True, samples=None):
    digits = data.load("digits", split)
    digits = digits.first(samples) if samples else digits
    pixels = torch.from_numpy(digits.images / 255).float()
    return DataLoader(TensorDataset(pixels, torch.from_numpy(digits.labels.copy())), 64, shuffle=shuffle)


def pruned(**more):
    return snnc.prune(
        Net(), loader(), **{"test": loader("test", shuffle=False), "connectivity": 0.1, "epochs": 6, "lr": 0.01, **more}
    )


def test_a_dataloader_prunes_to_exactly_as_many_weights_and_learns():
    found = pruned()
    weights = {"fc1": found.module.fc1.weight, "fc2": found.module.fc2.weight}
    assert sum(int((w != 0).sum()) for w in weights.values()) == round(0.1 * (64 * 20 + 20 * 10)) == 148
    assert sum(int(mask.sum()) for mask in found.masks.values()) == 148
    for name, weight in weights.items():
        assert not weight[~found.masks[name]].any()
    assert [line["epoch"] for line in found.metrics] == [1, 2, 3, 4, 5, 6]
    assert found.metrics[-1]["test_accuracy"] > 0.5
    assert found.report["parameter_connectivity"] == 0.1
    assert repr(found) == "PrunedModule(Net, 148 of 1,480 weights)"


def test_it_is_deterministic_for_a_seed_and_leaves_torch_s_own_numbers_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = pruned(epochs=2)
    torch.manual_seed(6)
    second, other = pruned(epochs=2), pruned(epochs=2, seed=3)
    assert torch.equal(first.module.fc1.weight, second.module.fc1.weight)
    assert not torch.equal(first.module.fc1.weight, other.module.fc1.weight)
    torch.manual_seed(5)
    assert torch.equal(before, torch.get_rng_state())


def test_layers_have_a_connectivity_of_their_own():
    found = pruned(epochs=2, connectivity=None, layer=("fc1=0.05", "fc2=0.5"))
    assert {name: int(mask.sum()) for name, mask in found.masks.items()} == {"fc1": 64, "fc2": 100}


@pytest.mark.parametrize(
    ("batches", "says"),
    [
        ([torch.rand(2, 64)], r"gives Tensor, expected \(inputs, labels\)"),
        ([(torch.rand(2, 64), torch.rand(2))], r"labels are torch.float32"),
        ([(torch.rand(2, 63), torch.tensor([0, 1]))], r"fails on a batch of \(2, 63\)"),
        ([(torch.rand(2, 64), torch.tensor([0, 10]))], r"labels of 0 \.\. 10, the module answers with 10 classes"),
        (
            [(torch.rand(2, 64), torch.tensor([i, 1])) for i in (0, -1)],
            r"labels of -1 \.\. 1, the module answers with 10 classes",
        ),
        ([(torch.full((2, 64), torch.nan), torch.tensor([0, 1]))], "inputs that are NaN or infinite; leave these samples out"),
        ([], "has no batches"),
        (iter([]), "has no length"),
    ],
)
def test_batches_that_are_none_are_refused_before_training(batches, says):
    with pytest.raises(snnc.ConfigError, match=says):
        snnc.prune(Net(), batches, connectivity=0.1, epochs=1)


@pytest.mark.parametrize("kind", [torch.int32, torch.uint8])
def test_class_numbers_have_any_whole_type(kind):
    def pruned(kind):
        torch.manual_seed(0)
        return snnc.prune(Net(), [(torch.rand(2, 64), torch.tensor([0, 1], dtype=kind))], connectivity=0.1, epochs=1)

    assert pruned(kind).metrics[-1]["loss"] == pruned(torch.int64).metrics[-1]["loss"]


@pytest.mark.parametrize(
    "option", [{"batch_size": 3}, {"augment": "affine"}, {"input": "rate"}, {"steps": 3}, {"keep": "x"}, {"resume": "x.ckpt"}]
)
def test_what_only_a_data_set_can_do_is_refused(option):
    with pytest.raises(snnc.ConfigError, match="DataLoader"):
        snnc.prune(Net(), loader(samples=64), connectivity=0.1, epochs=1, **option)


def test_a_diverging_loss_is_an_error():
    with pytest.raises(snnc.RunError, match="became NaN or infinite in epoch 1"):
        snnc.prune(Net(), [(torch.full((2, 64), 3e38), torch.tensor([0, 1]))], connectivity=0.1, epochs=1)


def test_a_network_is_not_pruned_over_a_dataloader():
    net = snnc.train("digits", hidden=(8,), epochs=1, steps=2)
    with pytest.raises(snnc.UsageError, match="DataLoader is neither a data set nor"):
        snnc.prune(net, loader(samples=64), connectivity=0.1)


def test_a_data_set_prunes_a_module_as_a_file_is_pruned():
    found = snnc.prune(Net(), "digits", connectivity=0.1, epochs=1)
    assert repr(found) == "PrunedModule(Net, 148 of 1,480 weights)"
    assert found.report["own"]["input"] == "image"


class Stepped(nn.Module):
    """(steps, batch, 64) -> (steps, batch, 10)."""

    def __init__(self):
        super().__init__()
        self.fc, self.out = nn.Linear(64, 10, bias=False), snntorch.Leaky(0.9, reset_mechanism="zero")

    def forward(self, raster):
        v, fired = self.out.init_leaky(), []
        for frame in raster:
            spikes, v = self.out(self.fc(frame), v)
            fired.append(spikes)
        return torch.stack(fired)


def test_a_module_is_imported_as_it_is_and_goes_down_the_chain():
    imported = snnc.read(Stepped(), time_axis="first", encoding="rate", steps=8)
    assert imported.network.done[0].settings["module"] == "Stepped"
    assert snnc.verify(imported.network, "torch", noise=0.4, samples=5).verdict.mismatches == 0
    fixed = snnc.quantise(imported.network, "loihi1")
    assert snnc.verify(fixed, "reference", data="digits", samples=5).verdict.mismatches == 0
    with pytest.raises(snnc.UsageError, match="is no file but Stepped"):
        snnc.read(Stepped(), "nir")
    with pytest.raises(snnc.ConfigError, match="unknown key 'axis'"):
        snnc.read(Stepped(), axis="first")


def test_the_input_shape_may_be_a_tuple():
    assert snnc.read(Stepped(), time_axis="first", input_shape=(64,)).network.inputs[0].size == 64
