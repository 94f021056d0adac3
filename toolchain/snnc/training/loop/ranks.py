"""Training in several processes: PyTorch's DDP under torchrun. In a single process, nothing here has an effect.

Every process has the whole model and takes its part of each batch; gradients are averaged, so that all processes make the same
step and hold the same weights, masks and counts. Files are written by the first process only.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor, nn

from snnc.errors import ConfigError
from snnc.training.settings import TorchConfig

Settings = TypeVar("Settings", bound=TorchConfig)


def placed(config: Settings) -> Settings:
    """Return the configuration with the device that "auto" means here. Raises ConfigError for a cuda device that does not
    exist.
    """
    if config.device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("torch finds no cuda device", fix="use --device cpu, or install torch with CUDA")
    if config.device != "auto":
        return config
    return replace(config, device="cuda" if torch.cuda.is_available() else "cpu")


@contextmanager
def joined(config: TorchConfig, environ: Mapping[str, str] = os.environ) -> Iterator[None]:
    """Join the processes that train together, under torchrun: over gloo on CPUs and nccl on GPUs."""
    if int(environ.get("WORLD_SIZE", "1")) < 2 or "MASTER_ADDR" not in environ:
        yield
        return
    on_gpu = placed(config).device == "cuda"
    if on_gpu:
        torch.cuda.set_device(int(environ.get("LOCAL_RANK", "0")))
    dist.init_process_group("nccl" if on_gpu else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def count() -> int:
    """Return the number of processes that train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Return the number of this process, from 0."""
    return dist.get_rank() if count() > 1 else 0


def replicated(model: nn.Module) -> nn.Module:
    """Return the model to call in training: its gradients are averaged over all processes."""
    if count() == 1:
        return model
    return nn.parallel.DistributedDataParallel(model, broadcast_buffers=False)


def share(batch: NDArray[np.int64]) -> tuple[int, NDArray[np.int64], float]:
    """Return this process's part of a batch: where it starts, its samples, and the weight of their mean loss.

    Gradients are averaged over processes, so unequal parts need weights; a process without a sample takes one of weight 0.
    """
    ends = [len(batch) * i // count() for i in range(count() + 1)]
    first, last = ends[rank()], ends[rank() + 1]
    if first == last:
        return 0, batch[:1], 0.0
    return first, batch[first:last], (last - first) * count() / len(batch)


def summed(*values: float) -> list[float]:
    """Return each value, summed over all processes."""
    if count() == 1:
        return list(values)
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    total = torch.tensor(values, dtype=torch.float64, device=device)
    dist.all_reduce(total)
    return [float(value) for value in total]


def align(model: nn.Module) -> None:
    """Give all processes the first one's statistics of batch normalisation, which no gradient keeps equal."""
    kept = model.state_dict().keys()
    for name, buffer in model.named_buffers() if count() > 1 else ():
        if name in kept:
            dist.broadcast(buffer, 0)


def random_state(device: torch.device) -> dict[str, Tensor]:
    """Return torch's random numbers on CPU and device, for a checkpoint."""
    state = {"cpu": torch.get_rng_state()}
    return state | ({"cuda": torch.cuda.get_rng_state()} if device.type == "cuda" else {})


def set_random_state(state: dict[str, Any]) -> None:
    """Continue with the random numbers of a checkpoint."""
    torch.set_rng_state(state["cpu"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])
