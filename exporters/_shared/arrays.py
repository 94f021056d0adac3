"""An .npz file whose bytes depend on its arrays alone: not compressed, every date 1980-01-01. For all targets with one."""

import io
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return the bytes of the file; np.load(..., allow_pickle=False) reads it."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as file:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.save(member, array, allow_pickle=False)
            file.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getvalue())
    return content.getvalue()
