"""The settings of training and pruning: without torch, so that the command line can show them without loading it."""

import os
from dataclasses import Field, dataclass, fields
from itertools import pairwise
from typing import Any, ClassVar, Literal

import snnc.neurons as neurons
from snnc.base.config import Config, setting
from snnc.base.factory import Factory
from snnc.errors import ConfigError, MissingDependencyError, nearest, of_memory
from snnc.network.encoding import MOST_COUNT_BITS, MOST_POOL, Encoding, Polarity, microseconds
from snnc.training import methods

Loss = Literal["counts", "rate", "first_spike", "membrane", "membrane_mse"]
Prior = Literal["schedule", "paper"]
Kernel = Literal["auto", "fused", "snntorch"]
Device = Literal["auto", "cpu", "cuda"]
Learned = Literal["decays", "thresholds", "delays"]
Augment = Literal["none", "affine", "crop_flip"]
SNNTORCH = {"leaky": "lif", "synaptic": "cuba"}  # its neurons, and the models that fire as they do
MAX_WEIGHTS = 1 << 28  # of a network to train: with gradients and averages 4 GB


@dataclass(frozen=True)
class FitConfig(Config):
    """A training loop: epochs of mini-batches with Adam and a learning rate that falls as a cosine to 0."""

    epochs: int = setting(10, "Passes over the training samples.", low=1, high=100_000)
    batch_size: int = setting(128, "Samples in a step of the optimizer.", low=1, high=1_000_000)
    lr: float = setting(3e-3, "Learning rate at the start.", low=0, high=1000)
    loss: Loss = setting(
        "counts",
        "counts: cross-entropy over the spike counts; rate: squared error of the firing rates against one-hot; first_spike: "
        "cross-entropy over the steps before the first spike; for a readout that never fires, membrane: cross-entropy over its "
        "voltages in each step; membrane_mse: squared error of its mean voltages against one-hot or values.",
    )
    augment: Augment = setting(
        "none",
        "affine: turn by up to 30 degrees, shift by up to 15 %, scale by 0.85 to 1.11; "
        "crop_flip: shift by up to 4 pixels, and mirror half of the images.",
    )
    seed: int = setting(0, "Seed of initial weights, order of samples and training noise.", low=0, high=2**32 - 1)
    threads: int = setting(1, "Threads of torch; the same number of threads gives the same result.", low=1, high=256)

    ADDED: ClassVar[tuple[str, ...]] = ()  # fields that files of earlier versions lack, and whose default is what was done then

    def stated(self) -> dict[str, Any]:
        """Return the settings as JSON values; fields of `ADDED` only if they say something."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if not self._is_silent(f)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    def _is_silent(self, f: Field[Any]) -> bool:
        return f.name in self.ADDED and getattr(self, f.name) == f.default


@dataclass(frozen=True)
class TorchConfig(FitConfig):
    """A training loop of snnTorch neurons, and where it runs."""

    kernel: Kernel = setting(
        "auto", "fused: neurons compiled over all steps (float32, CPU); snntorch: its own steps; auto: fused where possible."
    )
    device: Device = setting("auto", "auto: cuda if there is one, else cpu.")
    learn: tuple[Learned, ...] = setting(
        (), "What trains besides weights and biases: decays, thresholds, or delays of axons; give it once for each."
    )
    max_delay: int = setting(25, "Longest delay that --learn delays finds, in steps.", low=1, high=1000)

    ADDED: ClassVar[tuple[str, ...]] = ("learn", "max_delay")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kernel == "fused" and self.device == "cuda":
            raise ConfigError("the fused kernel computes on the CPU only", fix="use --kernel auto or --device cpu")
        if self.max_delay != type(self).max_delay and "delays" not in self.learn:
            raise ConfigError(f"max_delay = {self.max_delay} says nothing, as no delays are learned", fix="add --learn delays")


@dataclass(frozen=True)
class TrainConfig(TorchConfig):
    """A fully connected or recurrent network, how its input is encoded, and how it is trained.

    Examples:
        >>> import snnc
        >>> snnc.TrainConfig(hidden=(128,), epochs=3).steps
        16
    """

    hidden: tuple[int, ...] = setting((128,), "Neurons of a hidden layer; give it once for each layer.", low=1, high=100_000)
    neuron: str = setting(
        "leaky",
        "Neuron: leaky or synaptic, which are snnTorch's for lif and cuba, or a model of snnc's, which trains by its own step: "
        f"{', '.join(neurons.names())}.",
    )
    beta: float = setting(0.875, "Part of the voltage (decay_v) that is left after a step; rounded to 1/4096.", low=0, high=1)
    alpha: float = setting(0.5, "Part of a current (decay_u) that is left after a step; rounded to 1/4096.", low=0, high=1)
    threshold: float = setting(1.0, "Voltage above which a neuron fires.", low=1e-3, high=1000)
    bias: bool = setting(False, "Add a trained constant to the voltage of each neuron in every step.")
    parameter: tuple[str, ...] = setting((), "Another parameter of --neuron, for example period=2; give it once for each.")
    readout: str | None = setting(
        None, "Model of the output neurons, if it differs, for example li, which is read by its voltage."
    )
    recurrent: bool = setting(False, "Feed the spikes of each hidden layer back to it one step later.")
    model: str | None = setting(
        None,
        "TOML file with a table of layers, or FILE.py:FACTORY: a file of yours, which is executed, and the function in it that "
        "makes a torch module; instead of --hidden, --neuron and their options.",
    )
    weights: str | None = setting(
        None, "For --model FILE.py:FACTORY: file with its state dict to start from: safetensors, or .pt of torch.save."
    )
    time_axis: Literal["none", "first", "second"] = setting(
        "none",
        "For --model FILE.py:FACTORY: what forward takes. none: a frame (batch, ...), once a step or repeated inside; "
        "first: (steps, batch, ...); second: (batch, steps, ...).",
    )
    dt_s: float = setting(1e-3, "Duration of a time step in seconds.", low=1e-12, high=1000)
    encoding: Literal["rate", "latency", "constant", "events"] = setting(
        "rate",
        "For images, rate: random spikes; latency: one spike a pixel; constant: the pixel as an integer in every step. "
        "For events and rasters, events: the events of a step of --dt-s, or each step of the raster.",
    )
    steps: int = setting(16, "Time steps per sample.", flags=("-T", "--timesteps"), low=1, high=100_000)
    encoding_seed: int = setting(0, "Seed of the spikes into which rate coding turns test samples.", low=0, high=2**32 - 1)

    event_polarity: Polarity = setting("separate", "merged: on and off events are added.")
    event_pool: int = setting(1, "Rows and columns of sensor places whose events are added.", low=1, high=MOST_POOL)
    event_bits: int = setting(
        0, "0: a spike where there is any event; else their number, as an integer below 2 to the power of this.",
        low=0, high=MOST_COUNT_BITS,
    )  # fmt: skip

    ADDED: ClassVar[tuple[str, ...]] = (
        *TorchConfig.ADDED,
        "parameter",
        "readout",
        "recurrent",
        "model",
        "weights",
        "time_axis",
        "event_polarity",
        "event_pool",
        "event_bits",
    )
    LAYERS: ClassVar[tuple[str, ...]] = (
        "hidden",
        "neuron",
        "beta",
        "alpha",
        "threshold",
        "bias",
        "parameter",
        "readout",
        "recurrent",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        weights = sum(a * b for a, b in pairwise(self.hidden)) + self.recurrent * sum(n * n for n in self.hidden)
        if weights > MAX_WEIGHTS:
            raise ConfigError(
                f"hidden = {self.hidden} has {weights:,} weights between hidden layers",
                fix=f"use smaller layers, with at most {MAX_WEIGHTS:,} together",
            )
        given = [f.name for f in fields(self) if f.name in self.LAYERS and getattr(self, f.name) != f.default]
        if self.model and given:
            raise ConfigError(f"{self.model} says the layers, {given[0]} would, too", fix="leave one of them out")
        if (self.weights or self.time_axis != "none") and self.factory is None:
            asked = "weights" if self.weights else "time_axis"
            raise ConfigError(f"{asked} is of a module in a file", fix="name it with --model FILE.py:FACTORY")
        self._check_neurons()
        self.input_encoding  # noqa: B018 - says what is wrong with it
        if self.bias and self.neuron == "synaptic" and not self.is_own:
            raise ConfigError(
                "synaptic neurons with a bias: snnTorch adds it to the current, the chip to the voltage",
                fix="leave out the bias, or use --neuron cuba or leaky",
            )

    def _check_neurons(self) -> None:
        known = (*SNNTORCH, *neurons.names())
        if self.neuron not in known:
            raise ConfigError(f"no neuron {self.neuron!r}", fix=nearest(self.neuron, list(known)))
        if self.readout not in (None, *neurons.names()):
            raise ConfigError(f"no neuron model {self.readout!r}", fix=nearest(str(self.readout), list(neurons.names())))
        if not neurons.get(self.own_neuron).rule.fires:
            raise ConfigError(
                f"{self.neuron} never fires, so that nothing would reach the output",
                fix=f"use --readout {self.neuron}, and a neuron that fires for --neuron",
            )
        if self.alpha != type(self).alpha and "decay_u" not in neurons.get(self.own_neuron).parameters():
            what = f"alpha = {self.alpha} says nothing, as no current of {self.neuron} remains after a step"
            raise ConfigError(what, fix="leave it out, or use --neuron synaptic")
        if self.parameter and not self.is_own:
            raise ConfigError(
                f"{self.neuron} is snnTorch's and has no parameter but beta, alpha and threshold",
                fix=f"use --neuron {self.own_neuron}",
            )
        self.parameters  # noqa: B018 - says what is wrong with them

    @property
    def input_encoding(self) -> Encoding:
        """How a sample becomes input. Raises ConfigError for a time step of events that is no whole microseconds."""
        bin_us = microseconds(self.dt_s) if self.encoding == "events" else 0
        counted = self.event_polarity, self.event_pool, self.event_bits
        return Encoding(self.encoding, self.steps, self.encoding_seed, bin_us, *counted)

    @property
    def factory(self) -> Factory | None:
        """The function that makes the module to train; None for layers of a table or of the settings. Raises UsageError for a
        Python file without one.
        """
        return Factory.parse(self.model) if self.model else None

    @property
    def own_neuron(self) -> str:
        """The name of snnc's neuron model that the neurons are."""
        return SNNTORCH.get(self.neuron, self.neuron)

    @property
    def is_own(self) -> bool:
        """Whether the neurons train by their own step; if not, snnTorch's layers are used."""
        own = self.recurrent or self.readout is not None or self.model is not None or bool(self.learn)
        return self.neuron not in SNNTORCH or own

    @property
    def parameters(self) -> dict[str, float]:
        """Return the values of `parameter`. Raises ConfigError for an entry that is not NAME=NUMBER or names no parameter of
        the neuron.
        """
        values = _numbers("parameter", self.parameter, "period=2")
        known = list(neurons.get(self.own_neuron).parameters())
        for name in values:
            if name not in known:
                raise ConfigError(f"{self.own_neuron} has no parameter {name!r}", fix=nearest(name, known))
        return values


def _numbers(field: str, texts: tuple[str, ...], example: str) -> dict[str, float]:
    """Return each NAME=NUMBER. Raises ConfigError for anything else."""
    values = {}
    for text in texts:
        name, _, value = text.partition("=")
        try:
            values[name] = float(value)
        except ValueError as error:
            raise ConfigError(f"{field} = {text!r} is no NAME=NUMBER", fix=f"write {example}, say") from error
    return values


@dataclass(frozen=True)
class PruneConfig(TorchConfig):
    """How far to prune, by which method, and the training during which it happens.

    Examples:
        >>> import snnc
        >>> round(snnc.PruneConfig(sparsity=0.95).target, 2)
        0.05
    """

    method: str = setting("grad_r", f"Pruning method: {', '.join(methods.names())} (none trains without pruning).")
    connectivity: float | None = setting(None, "Part of the weights to keep, for example 0.05.")
    sparsity: float | None = setting(None, "Part of the weights to prune, for example 0.95.", flags=("-s",))
    layer: tuple[str, ...] = setting(
        (), "Connectivity of one layer, for example fc1=0.03; the other layers share --connectivity."
    )
    prior: Prior = setting(
        "schedule",
        "For grad_r. schedule: the pull on the weights is set so that the connectivity is reached exactly; "
        "paper: the fixed prior of the publication, which does not reach it.",
    )
    alpha: float | None = setting(
        None, "Pull of grad_r on every synapse, in learning rates, or of deep_r's L1.", low=1e-12, high=1000
    )
    reach: float | None = setting(
        None,
        "For grad_r's schedule: pull on synapses up to this many times as important as the last one to be pruned "
        "(default: 1000 where neurons keep 50 synapses or more, on average, else 1.5).",
        low=1.01,
        high=1000,
    )
    temperature: float | None = setting(None, "For deep_r and soft_deep_r: strength of the noise.", low=1e-30)
    rewire: float = setting(0.5, "Part of the training during which synapses come and go; then they stay.", low=0.01, high=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.method not in methods.names():
            raise ConfigError(f"no pruning method {self.method!r}", fix=nearest(self.method, methods.names()))
        if self.connectivity is not None and self.sparsity is not None:
            raise ConfigError("needs either a connectivity or a sparsity, not both", fix="leave one out")
        if self.target is None and not self.layer and self.method != "none":
            raise ConfigError("needs either a connectivity or a sparsity", fix="give --connectivity 0.05, say")
        shared = () if self.target is None else (self.target,)
        for asked in (*shared, *self.layers.values()):
            self._check_target(asked)

    def _check_target(self, asked: float) -> None:
        if not 0 < asked <= 1:
            raise ConfigError(f"a connectivity of {asked:g} cannot be", fix="keep more than 0 and at most 1 of the weights")
        if self.method == "grad_r" and self.prior == "paper" and asked > 0.5:
            raise ConfigError(
                f"the paper's prior has no centre for a connectivity of {asked:g}", fix="use 0.5 or less, or --prior schedule"
            )

    @property
    def target(self) -> float | None:
        """The requested parameter connectivity, of all layers that have none of their own."""
        return self.connectivity if self.sparsity is None else 1 - self.sparsity

    @property
    def layers(self) -> dict[str, float]:
        """Return the connectivity of layers that have their own. Raises ConfigError for an entry that is not NAME=NUMBER."""
        return _numbers("layer", self.layer, "fc1=0.03")


@dataclass(frozen=True)
class FinetuneConfig(FitConfig):
    """A short training of a quantised network in the chip's own integers."""

    epochs: int = setting(3, "Passes over the training samples.", low=1, high=100_000)
    lr: float = setting(3e-4, "Learning rate at the start, in the unit of the float weights.", low=0, high=1000)
    validation: float = setting(
        0.1,
        "Part of the training samples, the last of each class, at least 1000, that chooses the epoch to keep.",
        low=0.001,
        high=0.5,
    )


def must_have_torch(what: str = "training") -> None:
    """Raise MissingDependencyError if torch or snnTorch cannot be imported; called before the modules that need them."""
    try:
        import snntorch  # noqa: F401
        import torch  # noqa: F401
    except ImportError as error:
        if of_memory(error):
            raise
        raise MissingDependencyError(f"{what} needs {error.name or 'torch'}", fix="pip install '.[train]'") from error


def is_first() -> bool:
    """Return whether this process writes files and results: of those that torchrun started, only the first."""
    return os.environ.get("RANK", "0") == "0" or "MASTER_ADDR" not in os.environ
