"""Augmentation: checked by hand, the same for the same seed, and cheap beside a training step."""

import time
from dataclasses import replace

import numpy as np
import pytest

from snnc import data, store
from snnc.data.dataset import Dataset
from snnc.errors import ConfigError
from snnc.network.encoding import Encoding, encode

torch = pytest.importorskip("torch", reason="torch is not installed: pip install '.[train]'")
from snnc.training.loop import augment  # noqa: E402
from snnc.training.models import feedforward as models  # noqa: E402
from snnc.training.settings import FitConfig, TrainConfig  # noqa: E402
from snnc.training.train import train  # noqa: E402


def images(samples=3, shape=(2, 8, 8), seed=0):
    return np.random.default_rng(seed).integers(0, 256, (samples, *shape), dtype=np.uint8)


def moved(x, degrees=0.0, right=0.0, down=0.0, scale=1.0):
    return augment.affine(x, *(torch.full((len(x),), float(value)) for value in (degrees, right, down, scale)))


@pytest.mark.parametrize("shape", [(2, 8, 8), (1, 7, 7)])
@pytest.mark.parametrize("quarters", [0, 1, 2, 3, -1])
def test_quarter_turns_are_exact(quarters, shape):
    x = images(shape=shape)
    assert (moved(x, 90 * quarters) == np.rot90(x, quarters, (2, 3))).all()


def test_shifts_by_whole_pixels_are_exact_and_leave_black_behind():
    x = images(shape=(1, 6, 8))
    y = moved(x, right=2, down=-1)
    assert (y[:, :, :-1, 2:] == x[:, :, 1:, :-2]).all()
    assert not y[:, :, -1].any()
    assert not y[:, :, :, :2].any()


def test_half_a_pixel_mixes_two():
    x = np.zeros((1, 1, 1, 6), np.uint8)
    x[..., 2:4] = [100, 31]
    assert (moved(x, right=0.5) == [0, 0, 50, 66, 16, 0]).all(), "100/2, (100 + 31)/2, 31/2, rounded to nearest"


def test_doubling_about_the_centre():
    x = np.zeros((1, 1, 8, 8), np.uint8)
    x[0, 0, 3:5, 3:5] = 200
    profile = np.array([0, 0.25, 0.75, 1, 1, 0.75, 0.25, 0])
    assert np.abs(moved(x, scale=2)[0, 0] - 200 * np.outer(profile, profile)).max() <= 0.5


def test_a_turn_in_a_wide_image_keeps_lengths():
    x = np.zeros((1, 1, 7, 15), np.uint8)
    x[0, 0, 3, 9] = 255
    y = moved(x, 90)
    assert y[0, 0, 1, 7] == 255, "two to the right becomes two up"
    assert y.astype(int).sum() == 255


def test_each_sample_has_its_own_transformation():
    x = np.repeat(images(1), 3, 0)
    zero, one = torch.zeros(3), torch.ones(3)
    y = augment.affine(x, torch.tensor([0.0, 90.0, 180.0]), zero, zero, one)
    assert all((y[i] == np.rot90(x[i], i, (1, 2))).all() for i in range(3))


@pytest.mark.parametrize(("down", "right"), [(4, 4), (0, 8), (7, 3)])
def test_crop_and_flip(down, right):
    x = images()
    at = [np.full(3, n) for n in (down, right)]
    y = augment.crop_flip(x, *at, np.array([False, True, False]))
    padded = np.zeros((3, 2, 16, 16), np.uint8)
    padded[:, :, 4:12, 4:12] = x
    cut = padded[:, :, down : down + 8, right : right + 8]
    assert (y[[0, 2]] == cut[[0, 2]]).all()
    assert (y[1] == cut[1, :, :, ::-1]).all()


def dataset(samples=200, shape=(1, 12, 12)):
    x = images(samples, shape)
    return Dataset("noise", "train", x.reshape(samples, -1), shape[1:] if shape[0] == 1 else shape, np.arange(samples) % 10)


@pytest.mark.parametrize("kind", ["affine", "crop_flip"])
def test_a_sample_depends_on_seed_and_epoch_but_not_on_its_batch(kind):
    samples = dataset(shape=(3, 12, 12))
    everyone = np.arange(200)
    one = augment.augmented(samples, kind, 1, 1)(everyone)
    order = np.random.default_rng(1).permutation(200)
    again = augment.augmented(samples, kind, 1, 1)
    assert (np.concatenate([again(part) for part in np.array_split(order, 7)]) == one[order]).all()
    for seed, epoch in ((1, 2), (2, 1)):
        other = augment.augmented(samples, kind, seed, epoch)(everyone)
        assert (other != one).any(1).mean() > 0.95
    assert one.dtype == np.uint8
    assert one.shape == samples.images.shape


def test_the_ranges_are_those_of_the_publication(monkeypatch):
    seen = []
    monkeypatch.setattr(augment, "affine", lambda x, *parameters: seen.append(parameters) or x)
    augment.augmented(dataset(5000, (1, 20, 10)), "affine", 0, 1)(np.arange(5000))
    for values, low, high in zip(seen[0], (-30, -1.5, -3, 0.85), (30, 1.5, 3, 1.11), strict=True):
        margin = (high - low) / 100
        assert low <= values.min() < low + margin
        assert high - margin < values.max() <= high
    monkeypatch.setattr(augment, "crop_flip", lambda x, *parameters: seen.append(parameters) or x)
    augment.augmented(dataset(5000), "crop_flip", 0, 1)(np.arange(5000))
    down, right, flipped = seen[1]
    assert np.bincount(down, minlength=9).min() > 450
    assert np.bincount(right, minlength=9).min() > 450
    assert 0.45 < flipped.mean() < 0.55


def test_without_augmentation_the_images_are_the_images():
    samples = dataset()
    assert (augment.augmented(samples, "none", 0, 1)(np.array([4, 2])) == samples.images[[4, 2]]).all()


@pytest.mark.parametrize("encoding", ["rate", "latency", "constant"])
@pytest.mark.parametrize("kind", ["affine", "crop_flip"])
def test_training_takes_augmented_images_in_every_encoding(kind, encoding):
    digits = data.load("digits").first(200)
    config = TrainConfig(hidden=(16,), steps=4, epochs=2, batch_size=50, encoding=encoding, augment=kind)
    first, second = (store.dumps(train(digits, None, config)) for _ in range(2))
    assert first == second
    assert train(digits, None, replace(config, augment="none")).hash != train(digits, None, config).hash


def test_an_unknown_augmentation_is_refused():
    with pytest.raises(ConfigError, match="use one of: none, affine, crop_flip"):
        FitConfig(augment="flip")


def fastest(function, rounds=7):
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return min(times)


@pytest.mark.parametrize(("kind", "shape"), [("affine", (28, 28)), ("crop_flip", (3, 32, 32))])
def test_augmentation_is_cheap_beside_a_training_step(kind, shape, capsys):
    """Both measured in one run, so that the machine drops out."""
    torch.set_num_threads(1)
    n = int(np.prod(shape))
    pixels = np.random.default_rng(0).integers(0, 256, (128, n), dtype=np.uint8)
    samples = Dataset("noise", "train", pixels, shape, np.arange(128) % 10)
    model, encoding = models.build((n, 800, 10)), Encoding("constant", 8)
    optimizer = torch.optim.Adam(model.parameters())

    def step():
        spikes = model(torch.from_numpy(encode(encoding, samples.images)).float() / 256)
        optimizer.zero_grad()
        spikes.mean(1).square().mean().backward()
        optimizer.step()

    batch, everyone = augment.augmented(samples, kind, 0, 1), np.arange(128)
    part = fastest(lambda: batch(everyone)) / fastest(step)
    with capsys.disabled():
        print(f"\n{kind} of 128 images {shape} takes {part:.1%} of a training step of {n}-800-10, T = 8")
    assert part < 0.5
