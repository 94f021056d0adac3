"""Import from `netx`: a .net file of lava-dl (HDF5), whose integers become a network in a chip's integers as they stand."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

import snnc.chips as chips
from snnc.base import hdf5
from snnc.errors import ConfigError, FileError, NetworkError, refuse
from snnc.importers._settings import ImportConfig, Imported, Part
from snnc.importers.netx.layers import FULL, KINDS, Ints, Layer, delays, layers, neuron, on_grid
from snnc.importers.netx.record import left_out, record
from snnc.network.arithmetic import Fixed
from snnc.network.encoding import Encoding
from snnc.network.model import Connection, Network, Population
from snnc.network.synapses import Synapses
from snnc.network.window import Pair, Window
from snnc.neurons.li import LI
from snnc.ops.conv2d import Conv2d
from snnc.ops.dense import Dense

SUMMARY = "a .net file of lava-dl 0.6 (netx)"
SUFFIXES = (".net",)
OPTIONS = ("dt_s", "input_shape", "pixel_range")
PROFILE = "loihi2"
PIXEL_BITS = 8  # of the messages into an input layer with neurons: 256 would be a full pixel
MILLISECOND = 1e-3


@dataclass(eq=False)
class _Chain:
    """The network so far: a layer's connections start at the last population."""

    numeric: Fixed
    range: tuple[int, int] | None  # what black and white were in training
    populations: list[Population] = field(default_factory=list)
    connections: list[Connection] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read(source: str, config: ImportConfig) -> Imported:
    """The fixed network of a netx file: weights, biases, thresholds, decays and delays as they stand."""
    root = hdf5.read(Path(source))
    found = layers(root)
    problems = list(_structure_problems(found))
    refuse(problems, source)
    chain = _Chain(chips.load(PROFILE).fixed(), config.black_and_white)
    _must_know_the_input(found[0], config, source)
    if found[0].kind != "input":
        chain.populations.append(Population("input", _first_shape(found[0], config, source), None))
    for layer in found:
        try:
            _add(layer, chain, is_last=layer is found[-1])
        except (ValueError, FileError, NetworkError) as error:
            problems.append(str(error.what) if isinstance(error, FileError) else f"layer {layer.index} ({layer.kind}) {error}")
            _stand_in(layer, chain)
    refuse(problems, source)
    simulation = dict(_simulation(root))
    net = _network(Path(source), chain, config.dt_s or simulation.get("Ts", 1) * MILLISECOND)
    net = replace(net, encoding=_encoding(net, simulation))
    kept = {"simulation": simulation, "layers": [record(layer) for layer in found]}
    for layer in found:
        chain.notes += [
            f"layer {layer.index} holds {name!r}, which netx does not read; it is left out" for name in left_out(layer)
        ]
    return Imported(net, tuple(chain.parts), tuple(chain.notes), {"netx": kept})


def _structure_problems(found: tuple[Layer, ...]) -> Iterator[str]:
    for layer in found:
        if layer.kind not in KINDS:
            yield f"layer {layer.index} is a {layer.kind!r}, which netx does not run as spikes; use {', '.join(KINDS[:-1])}"
        if layer.kind == "input" and layer.index:
            yield f"layer {layer.index} is 'input', which only the first layer can be"
    if found and found[0].kind in ("flatten", "average"):
        yield f"layer 0 is {found[0].kind!r}; the first layer has to be 'input', or one with weights"
    for layer in found[:-1]:
        if layer.kind == "average":
            yield f"layer {layer.index} is 'average', which only the last can be; leave it out"


def _must_know_the_input(first: Layer, config: ImportConfig, source: str) -> None:
    """Raises ConfigError if pixels enter and nobody says what they were."""
    image = first.kind == "input" and "neuron" in first.fields
    if image and config.pixel_range is None:
        raise ConfigError(
            "takes images, and a netx file does not say how they were normalised",
            where=source,
            fix="add --pixel-range with what black and white were in training, such as 0:1 or -1:1",
        )


def _first_shape(first: Layer, config: ImportConfig, source: str) -> tuple[int, ...]:
    """The shape of the input of a file that has no input layer, as slayer writes networks of dense layers."""
    if config.shape is not None:
        return config.shape
    if first.kind == "conv":
        raise ConfigError("begins with a convolution and does not say the shape of its input", where=source,
                          fix="add --input-shape, such as 2x34x34")  # fmt: skip
    weight = first.fields.integers("weight")
    if weight.ndim < 2 or len(weight) != first.size:
        raise ConfigError(f"has first weights of shape {weight.shape} for {first.size} neurons", where=source,
                          fix="add --input-shape")  # fmt: skip
    return (weight.size // len(weight),)


def _add(layer: Layer, chain: _Chain, is_last: bool) -> None:
    match layer.kind:
        case "input":
            became = _input(layer, chain)
        case "flatten":
            became = "nothing, as populations are flat"
        case "average":
            became = _average(layer, chain)
        case _:
            became = _weights(layer, chain)
    chain.parts.append(Part(f"layer {layer.index}", layer.kind, became))


def _stand_in(layer: Layer, chain: _Chain) -> None:
    """Goes on behind a layer that was refused, so that all problems are found in one go."""
    if layer.kind not in ("flatten", "average"):
        chain.populations.append(Population(f"layer{layer.index}", layer.shape, None))


def _input(layer: Layer, chain: _Chain) -> str:
    """An input; with neurons, those get each pixel times the layer's weight, plus its bias, as Lava gets it in bias_mant."""
    if "neuron" not in layer.fields:
        chain.populations.append(Population("input", layer.shape, None))
        return "population input"
    weight = layer.fields.integers("weight").reshape(-1) if "weight" in layer.fields else np.array([64])
    if len(weight) != 1:
        raise ValueError(f"has {len(weight)} weights, expected one for all pixels")
    black, white = chain.range or (0, 1)
    values, exponent, sign = on_grid(weight * (white - black), chain.numeric)
    n = layer.size
    synapses = Synapses((n, n), np.arange(n + 1, dtype=np.int64), np.arange(n, dtype=np.int32), np.full(n, values[0]))
    chain.populations.append(Population("input", layer.shape, None, PIXEL_BITS))
    chain.connections.append(Connection("pixels", "input", "layer0", Dense(synapses, exponent - PIXEL_BITS, sign)))
    chain.populations.append(Population("layer0", layer.shape, neuron(layer, chain.numeric, int(weight[0]) * black)))
    shift = f" + {weight[0] * black}" if black else ""
    chain.notes.append(
        f"a pixel p of 0 to 255 enters as floor({weight[0] * (white - black)} * p / 256){shift} plus the bias of the input layer"
    )
    return "population layer0, behind population input"


def _average(layer: Layer, chain: _Chain) -> str:
    """A readout of groups: each voltage is the number of spikes of its group in a step, times 64."""
    src, name, n = chain.populations[-1], f"layer{layer.index}", _groups(layer)
    if src.size % n:
        raise ValueError(f"averages {src.size} neurons into {n} groups, which is no whole number in each; correct the file")
    group = src.size // n
    synapses = Synapses(
        (n, src.size), np.arange(n + 1, dtype=np.int64) * group, np.arange(src.size, dtype=np.int32), np.ones(src.size, np.int64)
    )
    chain.populations.append(Population(name, (n,), LI(np.array(FULL), np.array(FULL - 1), np.array(0))))
    chain.connections.append(Connection(f"groups{layer.index}", src.name, name, Dense(synapses, 0, "excitatory")))
    chain.notes.append(
        f"layer {layer.index} averages {src.size} neurons into {n} classes: it became a readout that counts their spikes, which"
        " netx leaves to whoever reads them"
    )
    return f"population {name}, connection groups{layer.index}"


def _groups(layer: Layer) -> int:
    return layer.fields.integer("numOutputs") if "numOutputs" in layer.fields else layer.size


def _weights(layer: Layer, chain: _Chain) -> str:
    src, name = chain.populations[-1], f"layer{layer.index}"
    made = neuron(layer, chain.numeric)
    wires = list(_connections(layer, src, name, chain))
    chain.populations.append(Population(name, layer.shape, made))
    chain.connections += wires
    return ", ".join([f"population {name}", *(f"connection {c.name}" for c in wires)])


def _connections(layer: Layer, src: Population, name: str, chain: _Chain) -> Iterator[Connection]:
    n_src = src.size
    if layer.kind == "conv":
        delays(layer, n_src)
        yield Connection(f"synapses{layer.index}", src.name, name, _conv(layer, src, chain.numeric))
        return
    weight = _matrix(layer, "weight", n_src)
    before, behind = delays(layer, n_src)
    op = _dense(weight, chain.numeric, behind)
    axons = None if before is None else before.astype(np.int32)
    yield Connection(f"synapses{layer.index}", src.name, name, op, 0, axons)
    if layer.kind == "dense_rec":
        again = _matrix(layer, "weight_rec", layer.size)
        if min(weight.min(), again.min()) < 0 and max(weight.max(), again.max()) > 254:
            raise ValueError(
                "has weights of 255 beside recurrent ones of the other sign, which netx clips to 254; clip and retrain"
            )
        if again.any():
            yield Connection(f"recurrent{layer.index}", name, name, _dense(again, chain.numeric, None), 1)
        else:
            chain.notes.append(f"layer {layer.index} has no recurrent weight other than 0; the recurrence is left out")


def _matrix(layer: Layer, name: str, n_src: int) -> Ints:
    if isinstance(layer.fields.tree.get(name), dict):
        raise ValueError(f"has complex weights in {name!r}; only real ones are read")
    weight = layer.fields.integers(name)
    if weight.size != layer.size * n_src:
        raise ValueError(f"has {name} of shape {weight.shape}, expected ({layer.size}, {n_src}) after the layers before it")
    if name == "weight":
        _must_say(layer, inFeatures=(n_src,), outFeatures=(layer.size,))
    return weight.reshape(layer.size, n_src)


def _dense(weight: Ints, numeric: Fixed, late: Ints | None) -> Dense:
    """``late``: delays of the destination neurons, (n_dst, 1), or of all synapses, (n_dst, n_src).

    A delay that belongs to no weight but 0 has a synapse of weight 0, so that it is not lost.
    """
    values, exponent, sign = on_grid(weight, numeric)
    if late is None:
        return Dense(Synapses.from_dense(values), exponent, sign)
    exists = values != 0
    unheard = late != 0
    unheard[:, 0] &= (late.shape[1] > 1) | ~exists.any(axis=1)
    exists[:, : late.shape[1]] |= unheard
    synapses = Synapses.from_dense(values, exists)
    delays = np.broadcast_to(late, values.shape)[synapses.rows, synapses.indices]
    return Dense(replace(synapses, delays=delays.astype(np.int32)), exponent, sign)


def _conv(layer: Layer, src: Population, numeric: Fixed) -> Conv2d:
    """netx stores the kernel of a cross-correlation (C_out, C_in / groups, rows, columns[, 1]) and pairs as (rows, columns)."""
    weight = layer.fields.integers("weight")
    weight = weight[..., 0] if weight.ndim == 5 and weight.shape[4] == 1 else weight
    if weight.ndim != 4 or len(src.shape) != 3:
        raise ValueError(f"convolves a layer of shape {src.shape} with a kernel of shape {weight.shape}; expected 3 and 4 axes")
    channels, height, width = src.shape
    window = Window(
        (channels, height, width), (weight.shape[2], weight.shape[3]),
        _pair(layer, "stride", 1), _pair(layer, "padding", 0), _pair(layer, "dilation", 1),
    )  # fmt: skip
    groups = layer.fields.integer("groups") if "groups" in layer.fields else 1
    _must_say(layer, inChannels=(channels,), outChannels=(len(weight),), kernelSize=window.kernel)
    values, exponent, sign = on_grid(weight, numeric)
    op = Conv2d(Synapses.from_dense(values.reshape(len(values), -1)), exponent, sign, window=window, groups=groups)
    if op.dst_shape != layer.shape:
        raise ValueError(f"has shape {layer.shape}, its convolution makes {op.dst_shape}; correct the file")
    return op


def _must_say(layer: Layer, **expected: tuple[int, ...]) -> None:
    """Raises ValueError if a number of the file contradicts its weights; those that are not given contradict nothing."""
    for name, numbers in expected.items():
        said = layer.fields.integers(name).reshape(-1).tolist() if name in layer.fields else list(numbers)
        if said not in ([*numbers], [*set(numbers)]):
            raise ValueError(f"has {name} {said}, its weights say {list(numbers)}; correct the file")


def _pair(layer: Layer, name: str, default: int) -> Pair:
    values = [int(n) for n in layer.fields.integers(name).reshape(-1)] if name in layer.fields else [default]
    if len(values) not in (1, 2):
        raise ValueError(f"has {name} {values}, expected (rows, columns)")
    return values[0], values[-1]


def _simulation(root: hdf5.Group) -> Iterator[tuple[str, int]]:
    if "simulation" in root:
        fields = root.group("simulation")
        for name in ("Ts", "tSample"):
            if name in fields:
                yield name, fields.integer(name)


def _encoding(net: Network, simulation: dict[str, int]) -> Encoding | None:
    """Pixels as they are, for as many steps as a sample had, where the file says so."""
    graded = any(p.message_bits for p in net.inputs)
    steps = simulation.get("tSample", 0)
    return Encoding("constant", steps) if graded and 1 <= steps <= 100_000 else None


def _network(path: Path, chain: _Chain, dt_s: float) -> Network:
    name = path.stem if path.stem.isprintable() and path.stem else "netx"
    try:
        return Network(name, tuple(chain.populations), tuple(chain.connections), float(dt_s), chain.numeric)
    except NetworkError as error:
        raise NetworkError(error.what, where=str(path), fix=error.fix or "correct the file") from error
