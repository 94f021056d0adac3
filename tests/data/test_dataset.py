"""A data set of one's own: what is no images and labels is refused, and the arrays that were passed stay as they are."""

import numpy as np
import pytest

import snnc

IMAGES = np.arange(60, dtype=np.uint8).reshape(3, 20)
LABELS = np.array([0, 2, 1])


def dataset(images=IMAGES, shape=(4, 5), labels=LABELS):
    return snnc.Dataset("mine", "train", images, shape, labels)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"images": IMAGES / 255}, r"has images of float64, expected whole numbers 0 \.\. 255; scale them to 0 \.\. 255"),
        ({"images": IMAGES.astype(int) * 5}, r"has images of 0 \.\. 295, expected 0 \.\. 255"),
        ({"images": IMAGES.astype(int) - 1}, r"has images of -1 \.\. 58"),
        (
            {"images": IMAGES.reshape(3, 4, 5)},
            r"has images \(3, 4, 5\) for the shape \(4, 5\), expected \(samples, 20\); reshape",
        ),
        ({"shape": (5, 5)}, r"has images \(3, 20\) for the shape \(5, 5\), expected \(samples, 25\)"),
        ({"images": IMAGES[:0], "labels": LABELS[:0]}, "has no samples"),
        ({"labels": LABELS[:2]}, r"has labels \(2,\) for 3 images"),
        ({"labels": LABELS[:, None]}, r"has labels \(3, 1\) for 3 images"),
        ({"labels": LABELS - 1}, r"has labels of -1 \.\. 1, expected 0 \.\. \d+; number the classes from 0"),
        ({"labels": LABELS.astype(float)}, r"has labels of float64"),
    ],
)
def test_what_is_none_is_refused(wrong, says):
    with pytest.raises(snnc.DataError, match=rf"data set 'mine': {says}"):
        dataset(**wrong)


def test_whole_numbers_of_any_type_are_one_data_set():
    made = dataset()
    assert dataset(IMAGES.astype(np.int32), labels=LABELS.astype(np.uint8)).sha256 == made.sha256
    assert dataset(IMAGES.tolist(), labels=LABELS.tolist()).sha256 == made.sha256
    assert (made.images.dtype, made.labels.dtype, made.classes) == (np.uint8, np.int64, 3)


def test_the_arrays_that_were_passed_can_still_be_written():
    images, labels = IMAGES.copy(), LABELS.copy()
    made = dataset(images, labels=labels)
    assert images.flags.writeable
    assert labels.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        made.images[0] = 0
