"""Weights that do not fit only for what wraps the module, or the file, are refused with what to do."""

import pytest

torch = pytest.importorskip("torch", reason="modules are torch's: pip install '.[train]'")

from torch import nn  # noqa: E402

from snnc.errors import ConfigError, FileError, NetworkError, UnsupportedError  # noqa: E402
from snnc.training.from_snntorch.convert import convert  # noqa: E402
from snnc.training.user_module import load_weights  # noqa: E402


def model():
    return nn.Sequential(nn.Linear(3, 2), nn.Sequential(nn.Linear(2, 2)))


def saved(path, rename):
    torch.save({rename(key): value for key, value in model().state_dict().items()}, path)
    return path


@pytest.mark.parametrize(
    ("rename", "wrapper"),
    [
        (lambda key: f"module.{key}", "module."),
        (lambda key: f"_orig_mod.{key}", "_orig_mod."),
        (lambda key: f"module._orig_mod.{key}", "module._orig_mod."),
        (lambda key: f"net.{key}", "net."),
        (lambda key: key.replace("1.0", "1._orig_mod.0"), "_orig_mod."),
    ],
)
def test_names_that_a_wrapper_changed_are_explained_and_the_remedy_works(rename, wrapper, tmp_path):
    path = saved(tmp_path / "w.pt", rename)
    with pytest.raises(NetworkError) as error:
        load_weights(model(), path)
    assert f"save it without {wrapper!r}: {{k.replace({wrapper!r}, ''): v for" in str(error.value)
    torch.save({k.replace(wrapper, ""): v for k, v in torch.load(path).items()}, path)
    load_weights(model(), path)


def test_names_of_another_model_are_not_taken_for_wrapped(tmp_path):
    path = saved(tmp_path / "w.pt", lambda key: f"module.{key}".replace("1.0.bias", "other"))
    with pytest.raises(NetworkError, match="pass weights of this Sequential"):
        load_weights(model(), path)


def test_a_checkpoint_around_the_state_dict_is_named(tmp_path):
    torch.save({"epoch": 3, "state_dict": model().state_dict()}, tmp_path / "w.pt")
    with pytest.raises(FileError, match=r"holds no state dict, .*save what it has under 'state_dict' alone"):
        load_weights(model(), tmp_path / "w.pt")


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
