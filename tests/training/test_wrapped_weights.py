"""Weights that fit but for what wraps the module, or the state dict in its file, are read; modules of others are refused."""

import pytest

torch = pytest.importorskip("torch", reason="modules are torch's: pip install '.[train]'")

from torch import nn  # noqa: E402

from snnc.errors import ConfigError, FileError, NetworkError, UnsupportedError  # noqa: E402
from snnc.training.from_snntorch.convert import convert  # noqa: E402
from snnc.training.weights_file import load_weights, weights_for  # noqa: E402


def model():
    return nn.Sequential(nn.Linear(3, 2), nn.Sequential(nn.Linear(2, 2)))


def saved(path, rename):
    torch.save({rename(key): value for key, value in model().state_dict().items()}, path)
    return path


WRAPPED = [
    lambda key: f"module.{key}",
    lambda key: f"_orig_mod.{key}",
    lambda key: f"module._orig_mod.{key}",
    lambda key: f"net.{key}",
    lambda key: key.replace("1.0", "1._orig_mod.0"),
    lambda key: "module." + key.replace("1.0", "1._orig_mod.0"),
]


def loaded(path):
    made = model()
    load_weights(made, path)
    return [value.tolist() for value in made.state_dict().values()]


@pytest.mark.parametrize("rename", WRAPPED)
@pytest.mark.parametrize(
    "around", [lambda state: state, lambda state: {"epoch": 3, "state_dict": state, "optimizer": {"state": {}}}]
)
def test_names_that_a_wrapper_changed_and_checkpoints_are_read(rename, around, tmp_path):
    trained = {key: torch.randn_like(value) for key, value in model().state_dict().items()}
    torch.save(around({rename(key): value for key, value in trained.items()}), tmp_path / "w.pt")
    assert loaded(tmp_path / "w.pt") == [value.tolist() for value in trained.values()]


def test_a_name_that_only_looks_like_a_wrapper_stays(tmp_path):
    """A layer "subnet" within a wrapper "net" keeps its name, and of two names for one weight neither is dropped."""
    path, inner = tmp_path / "w.pt", nn.ModuleDict({"subnet": nn.Linear(2, 2)})
    torch.save({f"net.{key}": value for key, value in inner.state_dict().items()}, path)
    assert weights_for(inner, path).keys() == inner.state_dict().keys()
    torch.save({key: torch.zeros(2) for key in ("_orig_mod.module.bias", "module.bias", "_orig_mod.module.weight")}, path)
    with pytest.raises(NetworkError, match=r"has in addition module\.bias"):
        load_weights(nn.Linear(2, 2), path)


@pytest.mark.parametrize("wrapped", ["module.", ""])
def test_names_of_another_model_are_not_taken_for_wrapped(wrapped, tmp_path):
    path = saved(tmp_path / "w.pt", lambda key: f"{wrapped}{key}".replace("1.0.bias", "other"))
    with pytest.raises(NetworkError, match=r"lacks .*1\.0\.bias.*; has in addition .*other; pass weights of this Sequential"):
        load_weights(model(), path)


def test_of_several_state_dicts_the_one_that_fits_is_taken(tmp_path):
    path, mine, other = tmp_path / "w.pt", model().state_dict(), nn.Linear(3, 3).state_dict()
    torch.save({"critic": other, "actor": mine}, path)
    assert loaded(path) == [value.tolist() for value in mine.values()]
    torch.save({"a": mine, "ema": mine, "critic": other}, path)
    with pytest.raises(
        FileError, match="holds 2 state dicts that fit this Sequential, 'a', 'ema'; save the one that you mean alone"
    ):
        load_weights(model(), path)
    torch.save({"a": other, "ema": other}, path)
    with pytest.raises(
        FileError, match=r"holds 2 state dicts, and none fits: 'a' lacks .*; 'ema' lacks .*; pass weights of this"
    ):
        load_weights(model(), path)


@pytest.mark.parametrize(
    ("library", "way"),
    [
        ("norse.torch.module.lif_box", r"write it as NIR with norse\.torch\.to_nir and nir\.write, and import that file"),
        ("sinabs.layers.lif", r"NIR with sinabs\.nir\.to_nir"),
        ("spikingjelly.activation_based.neuron", r"NIR with spikingjelly\..*export_to_nir \(of 2\.0\)"),
        ("lava.lib.dl.slayer.block.cuba", r"export_hdf5, and import the \.net file"),
        ("rockpool.nn.modules.torch.lif_torch", "train it here, with snnc train --neuron xylo"),
    ],
)
def test_modules_of_other_libraries_are_refused_with_their_way_to_snnc(library, way):
    pytest.importorskip("snntorch", reason="modules are converted beside snnTorch's: pip install '.[train]'")
    neuron = type("Neuron", (nn.Module,), {"__module__": library, "forward": lambda self, x: (x, None)})
    says = f"^net: is made of {library.split('.')[0]}'s Neuron, and only modules of .*; .*{way}"
    with pytest.raises(UnsupportedError, match=says):
        convert(nn.Sequential(nn.Linear(3, 2), neuron()), name="net")


def test_neurons_of_another_library_beside_snntorchs_are_named():
    snn = pytest.importorskip("snntorch", reason="modules are converted beside snnTorch's: pip install '.[train]'")
    forward = {"__module__": "norse.torch.module.lif", "forward": lambda self, x: (x > 0).double()}
    neuron, norm = type("LIFCell", (nn.Module,), forward), type("Norm", (nn.BatchNorm1d,), {"__module__": "norse.torch.norm"})

    def mixed(last):
        return nn.Sequential(nn.Linear(3, 2), norm(2), snn.Leaky(0.5, init_hidden=True), nn.Linear(2, 2), last)

    with pytest.raises(UnsupportedError, match=r"^net: 4 is norse's LIFCell, and only snnTorch's neurons are read; take those"):
        convert(mixed(neuron()), name="net")
    made = convert(mixed(snn.Leaky(0.5, init_hidden=True, output=True)), name="net")
    assert [p.name for p in made.network.populations][1:] == ["leaky2", "leaky4"], (
        "a norm that changes nothing of torch's is taken"
    )


def test_a_module_whose_parameters_are_not_torchs_is_refused(tmp_path):
    """As in Rockpool, where parameters() is a dictionary."""
    from snnc.base.factory import Factory
    from snnc.training.user_module import make

    source = "from torch import nn\nclass Net(nn.Linear):\n    def parameters(self):\n        return {'weight': self.weight}\n"
    (tmp_path / "net.py").write_text(source + "def made():\n    return Net(3, 2)\n")
    factory = Factory.parse(f"{tmp_path / 'net.py'}:made")
    with pytest.raises(ConfigError, match=r"makes Net, whose parameters\(\) holds no tensors.*; return a plain torch module"):
        make(factory, 0)
