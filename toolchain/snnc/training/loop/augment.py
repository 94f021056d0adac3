"""Augmentation: other images of the same classes, drawn anew in every epoch. Between the data and the encoding.

Images are uint8 before and after, so that every encoding takes them. What happens to a sample depends on the seed, the
epoch and the sample's number within its data set: not on the order of samples, the batches or the processes.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from snnc.data.dataset import Dataset
from snnc.network.encoding import Samples
from snnc.training.settings import Augment

ROTATION_DEGREES = 30.0  # the publication's setting for MNIST: each way
TRANSLATION = 0.15  # of height and width, each way
SCALE = (0.85, 1.11)
PADDING = 4  # the publication's setting for CIFAR-10: black pixels on each side before an image of the old size is cut out
DRAWS = 4  # random numbers a sample
_STREAM = 0xA06  # keeps these random numbers apart from others of the same seed

Images = NDArray[np.uint8]


def augmented(data: Dataset, kind: Augment, seed: int, epoch: int) -> Callable[[NDArray[Any]], Samples]:
    """Return a function from numbers of samples to these samples in this epoch. Raises DataError if they are no images, and are
    to be changed."""
    if kind == "none":
        return lambda chosen: data.samples[chosen]
    originals = data.images
    draws = np.random.default_rng([_STREAM, seed, epoch]).random((len(data), DRAWS), np.float32)

    def images(chosen: NDArray[Any]) -> Images:
        planes = originals[chosen].reshape(len(chosen), -1, *data.shape[-2:])
        return _KINDS[kind](planes, draws[chosen]).reshape(len(chosen), -1)

    return images


def _affine(images: Images, draws: NDArray[np.float32]) -> Images:
    angle, right, down, size = torch.from_numpy(draws).unbind(1)
    height, width = images.shape[2:]
    return affine(
        images,
        (2 * angle - 1) * ROTATION_DEGREES,
        (2 * right - 1) * TRANSLATION * width,
        (2 * down - 1) * TRANSLATION * height,
        SCALE[0] + size * (SCALE[1] - SCALE[0]),
    )


def affine(images: Images, degrees: Tensor, right: Tensor, down: Tensor, scale: Tensor) -> Images:
    """Return each image turned anticlockwise and scaled about its centre, then shifted by pixels; bilinear, black from outside.

    ``images`` are (samples, channels, height, width); the others (samples,).
    """
    height, width = images.shape[2:]
    x, y = _centred(height, width)
    turn = torch.deg2rad(degrees)
    cosine, sine = (torch.cos(turn) / scale)[:, None, None], (torch.sin(turn) / scale)[:, None, None]
    x, y = x - right[:, None, None], y - down[:, None, None]
    source = torch.stack([(cosine * x - sine * y) * (2 / width), (sine * x + cosine * y) * (2 / height)], 3)
    pixels = nn.functional.grid_sample(torch.from_numpy(images).float(), source, align_corners=False)
    moved: Images = pixels.add_(0.5).clamp_(max=255).to(torch.uint8).numpy()
    return moved


@cache
def _centred(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Return columns (1, 1, width) and rows (1, height, 1) of pixels, counted from the middle of the image."""
    columns, rows = (torch.arange(n, dtype=torch.float32) - (n - 1) / 2 for n in (width, height))
    return columns[None, None], rows[None, :, None]


def _crop_flip(images: Images, draws: NDArray[np.float32]) -> Images:
    down, right = (np.floor(draws[:, :2] * (2 * PADDING + 1)).astype(np.int64)).T
    return crop_flip(images, down, right, draws[:, 2] < 0.5)


def crop_flip(images: Images, down: NDArray[np.int64], right: NDArray[np.int64], flipped: NDArray[np.bool_]) -> Images:
    """Return each image, padded with 4 black pixels on each side, cropped from (``down``, ``right``) on; some mirrored left to
    right.

    ``images`` are (samples, channels, height, width); the others (samples,).
    """
    border = (PADDING, PADDING)
    padded = np.pad(images, ((0, 0), (0, 0), border, border))
    windows = np.lib.stride_tricks.sliding_window_view(padded, images.shape[2:], (2, 3))
    cut = windows[np.arange(len(images)), :, down, right]
    cut[flipped] = cut[flipped, :, :, ::-1]
    return cut


_KINDS: dict[str, Callable[[Images, NDArray[np.float32]], Images]] = {"affine": _affine, "crop_flip": _crop_flip}
