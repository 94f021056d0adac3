"""Events become rasters: each event in its step and place, counted, pooled and clipped; and what is no event is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnc import store
from snnc.errors import ConfigError, DataError
from snnc.network.encoding import Encoding, encode, encoded_shape
from snnc.network.events import Events, joined

SENSOR = (2, 3, 5)


def of_events(steps=4, **settings):
    return Encoding("events", steps, bin_us=10, **settings)


def random_events(seed, samples=3, most=40, last_us=60):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, most, samples)
    t = np.concatenate([np.sort(rng.integers(0, last_us, n)) for n in lengths])
    x, y, p = (rng.integers(0, size, len(t)) for size in SENSOR[::-1])
    return Events.of(SENSOR, np.cumsum([0, *lengths]), t, x, y, p), (lengths, t, x, y, p)


def counted(encoding, columns):
    """The raster, event by event."""
    lengths, t, x, y, p = columns
    pool, merged = encoding.pool, encoding.polarity == "merged"
    shape = (1 if merged else 2, -(-3 // pool), -(-5 // pool))
    raster = np.zeros((len(lengths), encoding.steps, *shape), int)
    event = 0
    for sample, length in enumerate(lengths):
        for _ in range(length):
            if t[event] < 10 * encoding.steps:
                raster[sample, t[event] // 10, 0 if merged else p[event], y[event] // pool, x[event] // pool] += 1
            event += 1
    return np.minimum(raster, max(1, 2**encoding.count_bits - 1)).reshape(len(lengths), encoding.steps, -1)


@settings(deadline=None)
@given(st.integers(0, 1000), st.sampled_from([1, 2, 4]), st.sampled_from(["separate", "merged"]), st.sampled_from([0, 1, 3, 8]))
def test_each_event_is_counted_in_its_step_and_place(seed, pool, polarity, bits):
    """In short rasters and in long ones, which are counted by another way."""
    events, columns = random_events(seed)
    long = of_events(steps=400, pool=pool, polarity=polarity, count_bits=bits)
    assert (encode(long, events) == counted(long, columns)).all()
    encoding = of_events(pool=pool, polarity=polarity, count_bits=bits)
    raster = encode(encoding, events)
    assert (raster == counted(encoding, columns)).all()
    assert raster.shape[2] == np.prod(encoded_shape(encoding, events, SENSOR))
    dense = np.zeros((3, 4, 30), np.uint8)
    dense[:] = encode(of_events(count_bits=8), events)
    assert (encode(encoding, dense, shape=SENSOR) == raster).all()


def test_a_raster_depends_on_no_other_sample():
    events, _ = random_events(7, samples=6)
    assert encode(of_events(), events).any()
    whole = encode(of_events(), events)
    for chosen in (slice(2, 5), np.array([4, 0, 4]), np.arange(6) % 2 == 1):
        assert (encode(of_events(), events[chosen]) == whole[chosen]).all()
    assert (encode(of_events(), joined([events[slice(4, 6)], events[slice(4)]])) == np.roll(whole, 2, 0)).all()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"t": [0, 5, 3]}, "sample 0: has an event at 3 us after one at 5 us; sort the events"),
        ({"x": [0, 5, 1]}, r"sample 0: has an event with x = 5, expected 0 \.\. 4"),
        ({"y": [0, 1, -1]}, r"sample 1: has an event with y = -1, expected 0 \.\. 2"),
        ({"p": [0, 1, 2]}, r"sample 1: has an event with p = 2"),
        ({"t": [0, 1.5, 2]}, r"sample 0: has an event with t = 1.5"),
        ({"t": [0, np.nan, 2]}, r"sample 0: has an event with t = nan"),
        ({"t": [0, 1, 1 << 32]}, r"expected 0 \.\. 4294967295"),
        ({"x": [0, 1]}, "has 3 times and 2 of another column"),
        ({"offsets": [0, 2, 4]}, "offsets from 0 to 4 for 3 events"),
        ({"offsets": [0, 4, 3]}, "offsets"),
        ({"offsets": [1, 2, 3]}, "offsets"),
        ({"t": [[0, 1, 2]]}, "has t of int64 and shape"),
    ],
)
def test_what_is_no_event_is_refused_with_its_place(change, says):
    sound = {"offsets": [0, 2, 3], "t": [0, 5, 3], "x": [0, 4, 1], "y": [0, 1, 2], "p": [0, 1, 1]}
    if "t" in change or "offsets" in change:
        sound["t"] = [0, 5, 7]
    if change == {"t": [0, 5, 3]}:
        sound["offsets"] = [0, 3, 3]
    Events.of(SENSOR, **(sound | {"t": [0, 5, 7]}))
    with pytest.raises(DataError, match=says):
        Events.of(SENSOR, **(sound | change))


@pytest.mark.parametrize(
    "bad",
    [
        {"bin_us": 0}, {"bin_us": 1.5}, {"bin_us": True}, {"pool": 0}, {"count_bits": 9}, {"count_bits": -1}, {"polarity": "on"},
        {"kind": "rate"},
    ],
)  # fmt: skip
def test_an_impossible_encoding_is_refused(bad):
    with pytest.raises(ConfigError):
        Encoding(**{"kind": "events", "bin_us": 10, **bad})


def test_samples_and_encoding_must_be_of_one_kind():
    events, _ = random_events(0)
    images = np.zeros((2, 30), np.uint8)
    for encoding, samples in (
        (Encoding("rate"), events),
        (Encoding("constant"), np.zeros((2, 3, 30), np.uint8)),
        (of_events(), images),
    ):
        with pytest.raises(DataError, match="does not take"):
            encode(encoding, samples)
    with pytest.raises(DataError, match="has 3 steps, the encoding 4; use --timesteps 3"):
        encode(of_events(), np.zeros((2, 3, 30), np.uint8))
    with pytest.raises(DataError, match="pooling or merging needs"):
        encode(of_events(pool=2), np.zeros((2, 4, 30), np.uint8))


def test_the_encoding_is_part_of_the_file(tmp_path):
    from dataclasses import replace

    from cases.networks import float_chain

    net = replace(float_chain(), encoding=Encoding("rate", 5, 3))
    header = store.dumps(net)
    assert b'"encoding\\":{\\"kind\\":\\"rate\\",\\"seed\\":3,\\"steps\\":5}' in header  # as ever: hashes stay
    counted_bits = of_events(pool=2, count_bits=0, polarity="merged")
    other = replace(net, encoding=counted_bits)
    store.save(other, tmp_path / "n.snnc")
    assert store.load(tmp_path / "n.snnc").encoding == counted_bits
    assert other.hash != replace(net, encoding=of_events(pool=2)).hash != net.hash
