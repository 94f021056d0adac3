"""Data sets in their published layouts: each loader returns the events that small files of the same layout hold."""

import numpy as np
import pytest
from cases import own_data, published

import snnc
from snnc.data import cochlea
from snnc.data.sets import cifar10_dvs, dvs_gesture
from snnc.errors import DataError, SnncError


def columns_of(data, sample):
    """t, x, y, p of a sample, as a list of events."""
    one = data.samples[slice(sample, sample + 1)]
    p, y, x = np.unravel_index(one.place.astype(int), data.shape)
    return list(zip(one.t.tolist(), x.tolist(), y.tolist(), p.tolist(), strict=True))


def as_list(columns):
    t, *others = columns
    return list(zip((t - t[0]).tolist(), *(column.tolist() for column in others), strict=True))


def test_nmnist(tmp_path):
    written = {(d, i): published.some_events(10 * d + i, 34) for d in range(10) for i in range(2)}
    for (digit, i), columns in written.items():
        published.forty_bits(tmp_path / "Train" / str(digit) / f"{i:05}.bin", columns)
        published.forty_bits(tmp_path / "Test" / str(digit) / f"{i:05}.bin", written[digit, 1 - i])
    train, test = (snnc.data("nmnist", split, tmp_path) for split in ("train", "test"))
    assert (train.shape, train.classes, len(train), len(test)) == ((2, 34, 34), 10, 20, 20)
    for n in range(20):
        digit, i = int(train.labels[n]), n % 2
        assert columns_of(train, n) == as_list(written[digit, i])
        assert columns_of(test, n) == as_list(written[digit, 1 - i])


def test_the_overflow_of_nmnist_adds_its_time(tmp_path):
    for digit in range(10):
        t, x, _, p = published.some_events(digit, 34, 4)
        published.forty_bits(tmp_path / "Train" / str(digit) / "0.bin", (t, x, np.array([3, 240, 4, 5]), p))
    first = columns_of(snnc.data("nmnist", "train", tmp_path), 0)
    t, x, _, p = published.some_events(0, 34, 4)
    late = t[2:] - t[0] + 8192
    assert first == [(0, x[0], 3, p[0]), (late[0], x[2], 4, p[2]), (late[1], x[3], 5, p[3])]


def test_cifar10_dvs(tmp_path):
    for label, name in enumerate(cifar10_dvs.CLASSES):
        for number in range(10):
            columns = published.some_events(10 * label + number, 128, start=1 << 20)
            published.aedat2(tmp_path / name / f"cifar10_{name}_{number}.aedat", columns)
    train, test = (snnc.data("cifar10_dvs", split, tmp_path) for split in ("train", "test"))
    assert (train.shape, len(train), len(test), train.names) == ((2, 128, 128), 90, 10, cifar10_dvs.CLASSES)
    assert columns_of(train, 13) == as_list(published.some_events(14, 128))
    assert columns_of(test, 3) == as_list(published.some_events(39, 128))
    assert test.labels.tolist() == list(range(10))


def gesture_files(home, table="class,startTime_usec,endTime_usec\n3,1000,3000\n11,3000,6000\n"):
    first, second = published.some_events(1, 128, 200), published.some_events(2, 128, 50, start=6000)
    other = published.packet(second, kind=2)
    invalid = published.packet(second, valid=0)
    published.aedat3(home / "user01_led.aedat", published.packet(first), other, invalid, published.packet(second))
    (home / "user01_led_labels.csv").write_text(table)
    for split in ("train", "test"):
        (home / f"trials_to_{split}.txt").write_text("user01_led.aedat\n")
    return first


def test_dvs_gesture(tmp_path):
    t, x, y, p = gesture_files(tmp_path / "DvsGesture")
    data = snnc.data("dvs_gesture", "train", tmp_path)
    assert (data.shape, data.labels.tolist()) == ((2, 128, 128), [2, 10])
    assert data.names == dvs_gesture.GESTURES
    for n, (start, end) in enumerate(((1000, 3000), (3000, 6000))):
        chosen = (t >= start) & (t < end)
        assert chosen.sum() > 20
        assert columns_of(data, n) == as_list((t[chosen], x[chosen], y[chosen], p[chosen]))


def test_time_beyond_31_bits_of_aedat(tmp_path):
    from snnc.data import aedat

    columns = published.some_events(1, 128, 5)
    published.aedat3(tmp_path / "a.aedat", published.packet(columns), published.packet(columns, overflow=2))
    assert (aedat.read(tmp_path / "a.aedat").t == np.concatenate([columns[0], columns[0] + (2 << 31)])).all()


@pytest.mark.parametrize("name", ["shd", "ssc"])
def test_heidelberg(name, tmp_path):
    pytest.importorskip("h5py", reason="HDF5 files need h5py: pip install '.[exchange]'")
    rng = np.random.default_rng(0)
    samples = [(np.sort(rng.random(n)), rng.integers(0, 700, n)) for n in (5, 0, 40)]
    published.heidelberg(tmp_path / f"{name}_train.h5", samples, [3, 0, 19])
    data = snnc.data(name, "train", tmp_path)
    assert (data.shape, data.labels.tolist()) == ((1, 1, 700), [3, 0, 19])
    assert data.names[3] == ("word3" if name == "shd" else "3")
    for n, (t, unit) in enumerate(samples):
        half = np.floor(t.astype(np.float16).astype(float) * 1e6 + 0.5).astype(int)
        assert columns_of(data, n) == list(zip(half, unit, np.zeros(len(t)), np.zeros(len(t)), strict=True))
    with pytest.raises(DataError, match=f"has no {name}_test.h5"):
        snnc.data(name, "test", tmp_path)
    published.heidelberg(tmp_path / f"{name}_test.h5", samples, [3, 0, 35])
    with pytest.raises(DataError, match="holds no spikes of 700 channels"):
        snnc.data(name, "test", tmp_path)


def test_free_spoken_digits(tmp_path):
    published.fsdd(tmp_path)
    train, test = (snnc.data("fsdd", split, tmp_path) for split in ("train", "test"))
    assert train.labels.tolist() == test.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert train.shape == (2, 1, 40)
    loudest = [np.bincount(test.samples[slice(n, n + 1)].place % 40).argmax() for n in (0, 2, 4)]
    assert loudest == sorted(set(loudest))
    (tmp_path / "recordings" / "x.wav").write_bytes(b"")
    with pytest.raises(DataError, match=r"is no DIGIT_SPEAKER_INDEX\.wav"):
        snnc.data("fsdd", "test", tmp_path)


def test_speech_commands(tmp_path):
    published.speech_commands(tmp_path)
    train, test = (snnc.data("speech_commands", split, tmp_path) for split in ("train", "test"))
    assert (train.names, train.labels.tolist(), test.labels.tolist()) == (("bed", "zero"), [0, 0, 1, 1, 1], [0, 1])


def test_a_tone_is_loudest_in_its_own_band():
    centres = cochlea.centres(8000)
    assert (np.diff(centres) > 0).all()
    assert (round(centres[0]), round(centres[-1])) == (100, 3600)
    for band in (3, 20, 36):
        tone = np.sin(2 * np.pi * centres[band] * np.arange(8000) / 8000) / 2
        levels = cochlea.loudness(tone, 8000)
        assert (levels[[0, -1]] == 0).all()
        assert levels[50].argmax() == band
        assert abs(levels[50, band] - 10 * (cochlea.FLOOR_DB + 10 * np.log10(0.125))) < 5  # half of full scale
    events = cochlea.heard(np.zeros(800), 8000)
    assert not len(events.t)


def damaged(home, name):
    """A data set with one file that is not what it should be; returns what is said."""
    if name == "nmnist":
        for digit in range(10):
            published.forty_bits(home / "Train" / str(digit) / "0.bin", published.some_events(1, 34))
        (home / "Train" / "4" / "0.bin").write_bytes(b"1234567")
        return "has 7 bytes, expected a multiple of 5"
    if name == "nmnist outside":
        for digit in range(10):
            published.forty_bits(home / "Train" / str(digit) / "0.bin", published.some_events(1, 34 + 20 * (digit == 7)))
        return r"0.bin: has an event with [xy] = \d\d, expected 0 \.\. 33"
    if name == "nmnist order":
        for digit in range(10):
            t, *others = published.some_events(1, 34)
            published.forty_bits(home / "Train" / str(digit) / "0.bin", (t[::-1], *others))
        return "0.bin: has an event with t = -"
    if name == "cifar10_dvs":
        for each in cifar10_dvs.CLASSES:
            for number in range(2):
                published.aedat2(home / each / f"cifar10_{each}_{number}.aedat", published.some_events(1, 128))
        path = home / "dog" / "cifar10_dog_0.aedat"
        path.write_bytes(path.read_bytes()[:-3])
        return "not a multiple of 8"
    if name == "dvs_gesture":
        gesture_files(home, "class,startTime_usec,endTime_usec\n12,1000,3000\n")
        return "has class 12 from 1000 to 3000 us"
    if name == "dvs_gesture cut":
        gesture_files(home)
        path = home / "user01_led.aedat"
        path.write_bytes(path.read_bytes()[:-9])
        return "announces 50 events of 8 bytes"
    if name == "dvs_gesture elsewhere":
        gesture_files(home)
        (home / "trials_to_train.txt").write_text("../../etc/passwd\n")
        return "names '../../etc/passwd', no recording beside it"
    own_data.sound(home / "recordings" / "0_theo_9.wav")
    own_data.sound(home / "recordings" / "1_theo_9.wav", rate=11025)
    return "has 11025 samples a second, 0_theo_9.wav has 8000"


@pytest.mark.parametrize(
    "name",
    [
        "nmnist", "nmnist outside", "nmnist order", "cifar10_dvs", "dvs_gesture", "dvs_gesture cut", "dvs_gesture elsewhere",
        "fsdd",
    ],
)  # fmt: skip
def test_a_damaged_file_is_one_sentence(name, tmp_path):
    says = damaged(tmp_path, name)
    with pytest.raises(SnncError, match=says) as error:
        snnc.data(name.split()[0], "train", tmp_path)
    assert error.value.exit_code == 2
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["nmnist", "dvs_gesture", "cifar10_dvs", "shd", "ssc", "speech_commands", "fsdd"])
def test_a_folder_without_the_files_says_which(name, tmp_path, monkeypatch):
    monkeypatch.delenv("SNNC_DATA", raising=False)
    for folder in (None, tmp_path):
        with pytest.raises(DataError, match="name with folder= or SNNC_DATA"):
            snnc.data(name, "train", folder)
