"""Runs an exported spiking network as Lava processes: python run.py INPUTS.npz OUTPUTS.npz

INPUTS.npz   one array of integers (samples, steps, n) for each input population, named as the population.
OUTPUTS.npz  for each population its spikes (samples, steps, n) under its name; for each population of neurons also its
             states after every step, under NAME.u and NAME.v. All are moved back by the population's latency.

Lies in every artifact of the targets lava and loihi as run.py, beside network.json (the processes and their registers),
weights.npz (the synapses, compressed sparse rows) and manifest.json (by how many steps each population runs late). Needs
Lava 0.10.0, NumPy and SciPy, nothing else: Python 3.10 as it is, 3.11 and later through `hashable_dataclasses`.
"""

import contextlib
import dataclasses
import functools
import json
import mmap
import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix


@contextlib.contextmanager
def hashable_dataclasses() -> Iterator[None]:
    """Python 3.11 and later refuse unhashable defaults in dataclasses, which Lava 0.10.0 has. Its own dataclasses get a
    hash while it is imported; those of everybody else stay as they are."""
    original: Any = dataclasses.dataclass

    def dataclass(cls: Any = None, /, **options: Any) -> Any:
        if cls is None:
            return functools.partial(dataclass, **options)
        if cls.__module__.startswith("lava.") and not {"eq", "frozen"} & options.keys() and "__hash__" not in cls.__dict__:
            options.setdefault("unsafe_hash", True)
        return original(cls, **options)

    dataclasses.dataclass = dataclass
    try:
        yield
    finally:
        dataclasses.dataclass = original


with hashable_dataclasses():
    from lava.magma.core.decorator import implements, requires
    from lava.magma.core.model.py.model import PyLoihiProcessModel
    from lava.magma.core.model.py.ports import PyInPort, PyRefPort
    from lava.magma.core.model.py.type import LavaPyType
    from lava.magma.core.process.ports.ports import InPort, RefPort, ReshapePort
    from lava.magma.core.process.process import AbstractProcess
    from lava.magma.core.resources import CPU
    from lava.magma.core.run_conditions import RunSteps
    from lava.magma.core.run_configs import Loihi2SimCfg
    from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
    from lava.magma.runtime.message_infrastructure.multiprocessing import SystemProcess
    from lava.proc.conv.models import PyConvModelFixed
    from lava.proc.conv.process import Conv
    from lava.proc.io.source import RingBuffer
    from lava.proc.lif.process import LIFReset
    from lava.proc.sparse.process import DelaySparse, Sparse
    from lava.utils.weightutils import SignMode


class Recorder(AbstractProcess):  # type: ignore[misc]
    """Keeps the spikes of a population, and its states u and v at the end of every step.

    ``memory`` maps s, u, v to arrays (steps, n) that the operating system shares between Lava's processes. Lava's own
    Monitor and RingBuffer sink send what they kept number by number, which takes longer than the run itself.
    """

    def __init__(self, n: int, memory: "dict[str, Any]") -> None:
        super().__init__(memory=memory)
        self.s = InPort(shape=(n,))
        self.u = RefPort(shape=(n,))
        self.v = RefPort(shape=(n,))


@implements(proc=Recorder, protocol=LoihiProtocol)
@requires(CPU)
class RecorderModel(PyLoihiProcessModel):  # type: ignore[misc]
    """What a Recorder does in each step: spikes as they arrive, states when all neurons have finished the step."""

    s: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    u: PyRefPort = LavaPyType(PyRefPort.VEC_DENSE, np.int32)
    v: PyRefPort = LavaPyType(PyRefPort.VEC_DENSE, np.int32)

    def run_spk(self) -> None:
        self.proc_params["memory"]["s"][self.time_step - 1] = self.s.recv()

    def post_guard(self) -> bool:
        return "u" in self.proc_params["memory"]

    def run_post_mgmt(self) -> None:
        for name in ("u", "v"):
            self.proc_params["memory"][name][self.time_step - 1] = getattr(self, name).read()


class Forget(AbstractProcess):  # type: ignore[misc]
    """Drops what a connection still carries, in ``count`` steps from step ``first`` of every ``interval`` on.

    Lava's own Reset does so in one step only.
    """

    def __init__(self, buffer: Any, first: int, count: int, interval: int) -> None:
        super().__init__(first=first, count=count, interval=interval)
        self.buffer = RefPort(shape=buffer.shape)


@implements(proc=Forget, protocol=LoihiProtocol)
@requires(CPU)
class ForgetModel(PyLoihiProcessModel):  # type: ignore[misc]
    """What a Forget does at the end of a step, when its connection has taken up the spikes of that step."""

    buffer: PyRefPort = LavaPyType(PyRefPort.VEC_DENSE, np.int32)

    def post_guard(self) -> bool:
        first, count, interval = (self.proc_params[name] for name in ("first", "count", "interval"))
        return bool((self.time_step - first) % interval < count)

    def run_post_mgmt(self) -> None:
        self.buffer.write(np.zeros(self.buffer._shape, np.int32))
        self.buffer.wait()


class ConvModel(PyConvModelFixed):  # type: ignore[misc]
    """Lava's own model of Conv with sizes in 32 bits: in its 8 bits, sides and channels from 128 on cannot be computed."""

    kernel_size: np.ndarray = LavaPyType(np.ndarray, np.int32)
    stride: np.ndarray = LavaPyType(np.ndarray, np.int32)
    padding: np.ndarray = LavaPyType(np.ndarray, np.int32)
    dilation: np.ndarray = LavaPyType(np.ndarray, np.int32)
    groups: np.ndarray = LavaPyType(np.ndarray, np.int32)


def reshaped(port: Any) -> Any:
    """What a ReshapePort of Lava does to data. Lava's own names an argument that NumPy 2.4 has no more."""
    return functools.partial(lambda data, shape: np.reshape(data, shape), shape=port.shape)


ReshapePort.get_transform_func_fwd = reshaped


def shared(steps: int, n: int) -> Any:
    """An array (steps, n) of zeros which Lava's processes, being forks of this one, write to."""
    return np.frombuffer(mmap.mmap(-1, 4 * steps * n), np.int32).reshape(steps, n)


def source(raster: Any, pause: int, steps: int) -> Any:
    """Plays the samples of a raster (samples, steps, n), each followed by ``pause`` silent steps, then silence."""
    rows = np.pad(raster, ((0, 0), (0, pause), (0, 0))).reshape(-1, raster.shape[2])
    silence = np.zeros((steps - len(rows), rows.shape[1]), np.int32)
    return RingBuffer(data=np.concatenate([rows, silence]).T.astype(np.int32))


def neurons(population: "dict[str, Any]", interval: int) -> Any:
    """LIF neurons with their registers, set back to 0 just before the first input of each sample arrives."""
    registers = {name: np.array(value) if isinstance(value, list) else value for name, value in population["registers"].items()}
    return LIFReset(shape=(population["n"],), reset_interval=interval, reset_offset=population["reset_offset"], **registers)


def synapses(process: "dict[str, Any]", weights: Any) -> Any:
    """The weights as they are: `sign_mode` is stated, so that Lava guesses nothing from the values."""
    shape, delays = tuple(process["shape"]), weights.get(f"{process['name']}.delays")
    data, *place = (weights[f"{process['name']}.{part}"] for part in ("data", "indices", "indptr"))
    settings = {
        "weights": csr_matrix((data, *place), shape=shape),
        "sign_mode": SignMode[process["sign_mode"]],
        "num_weight_bits": process["num_weight_bits"],
        "weight_exp": process["weight_exp"],
        "num_message_bits": process["num_message_bits"],
    }
    if process["process"] == "Sparse":
        return Sparse(**settings)
    return DelaySparse(delays=csr_matrix((delays.astype(int), *place), shape=shape), **settings)


def convolution(process: "dict[str, Any]", weights: Any) -> Any:
    """A cross-correlation of planes (channels, rows, columns) in Lava's Conv, which flips its kernel and whose axes are
    (columns, rows, channels). Its weights hold the weight exponent, which Lava's Conv ignores."""
    channels, height, width = process["src_shape"]
    data, *place = (weights[f"{process['name']}.{part}"] for part in ("data", "indices", "indptr"))
    shape = process["kernel_shape"]
    kernel = csr_matrix((data, *place), shape=(shape[0], int(np.prod(shape[1:])))).toarray().reshape(shape)
    return Conv(
        weight=np.ascontiguousarray(kernel[:, :, ::-1, ::-1].transpose(0, 3, 2, 1)).astype(np.int32),
        input_shape=(width, height, channels),
        stride=tuple(process["stride"][::-1]),
        padding=tuple(process["padding"][::-1]),
        dilation=tuple(process["dilation"][::-1]),
        groups=process["groups"],
        num_message_bits=process["num_message_bits"],
    )


def connect(connection: "dict[str, Any]", port: Any, weights: Any, interval: int) -> Any:
    """The processes of a connection one after the other, from an out-port on; returns the out-port of the last."""
    for p in connection["processes"]:
        process = convolution(p, weights) if p["process"] == "Conv" else synapses(p, weights)
        buffer = process.a_buf if p["process"] == "Conv" else process.a_buff
        if connection["forget"]:
            Forget(buffer, **connection["forget"], interval=interval).buffer.connect_var(buffer)
        if p["process"] == "Conv":
            port.reshape(tuple(p["src_shape"])).transpose((2, 1, 0)).connect(process.s_in)
            port = process.a_out.transpose((2, 1, 0)).reshape((process.a_out.size,))
        else:
            port.connect(process.s_in)
            port = process.a_out
    return port


def build(network: "dict[str, Any]", weights: Any, inputs: Any, interval: int, steps: int) -> "tuple[dict[str, Any], ...]":
    """All processes, connected: (populations by name, recorders by name)."""
    populations, recorders = {}, {}
    for p in network["populations"]:
        is_input = p["registers"] is None
        process = source(inputs[p["name"]], network["pause_steps"], steps) if is_input else neurons(p, interval)
        memory = {name: shared(steps, p["n"]) for name in ("s" if is_input else "suv")}
        recorder = Recorder(p["n"], memory)
        process.s_out.connect(recorder.s)
        for name in memory.keys() - {"s"}:
            getattr(recorder, name).connect_var(getattr(process, name))
        populations[p["name"]], recorders[p["name"]] = process, recorder
    for c in network["connections"]:
        connect(c, populations[c["src"]].s_out, weights, interval).connect(populations[c["dst"]].a_in)
    return populations, recorders


def end_together(*_: Any) -> None:
    """Ends this program with all its Lava processes, which would wait for each other forever."""
    for child in multiprocessing.active_children():
        if isinstance(child, SystemProcess):
            child.kill()
    sys.exit("the run was ended")


def show_failures() -> None:
    """A Lava process that fails says why on stderr and ends the run. Lava itself keeps the message and waits for the rest."""
    run = SystemProcess.run

    def run_and_show(self: Any) -> None:
        target = self._target

        def shown(*args: Any, **options: Any) -> Any:
            try:
                return target(*args, **options)
            except Exception:
                traceback.print_exc()
                os.kill(os.getppid(), signal.SIGTERM)
                raise

        self._target = shown
        run(self)

    SystemProcess.run = run_and_show
    signal.signal(signal.SIGTERM, end_together)
    signal.signal(signal.SIGINT, end_together)


def run_network(folder: Path, inputs: "dict[str, Any]") -> "dict[str, Any]":
    """Run the network in ``folder`` on rasters (samples, steps, n); each population is moved back by its latency."""
    network = json.loads((folder / "network.json").read_text())
    latency = json.loads((folder / "manifest.json").read_text())["latency"]
    weights = np.load(folder / "weights.npz", allow_pickle=False)
    samples, sample_steps = next(iter(inputs.values())).shape[:2]
    interval = sample_steps + network["pause_steps"]
    steps = samples * interval + max(latency.values())
    populations, recorders = build(network, weights, inputs, interval, steps)
    configuration = Loihi2SimCfg(select_tag="fixed_pt", exception_proc_model_map={Conv: ConvModel})
    for process in populations.values():
        if process.runtime is None:  # runs with it whatever it is connected to
            process.run(condition=RunSteps(num_steps=steps), run_cfg=configuration)
            process.stop()
    outputs = {}
    for name, recorder in recorders.items():
        for variable, rows in recorder.proc_params["memory"].items():
            moved = rows[latency[name] : latency[name] + samples * interval].reshape(samples, interval, -1)
            outputs[name if variable == "s" else f"{name}.{variable}"] = moved[:, :sample_steps]
    return {**outputs, "_by": np.array(f"lava {metadata.version('lava-nc')}")}


def main() -> None:
    """Read the inputs, run, write the outputs."""
    if len(sys.argv) != 3:
        sys.exit(f"usage: python {sys.argv[0]} INPUTS.npz OUTPUTS.npz")
    show_failures()
    with np.load(sys.argv[1], allow_pickle=False) as file:
        inputs = dict(file)
    np.savez(sys.argv[2], **run_network(Path(__file__).resolve().parent, inputs))


if __name__ == "__main__":
    main()
