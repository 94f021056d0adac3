"""Functions compiled by numba. Used by the kernels of the engine and of training; numba is loaded with this."""

from typing import Any

from numba import njit

FORM: dict[str, Any] = {"nogil": True, "error_model": "numpy"}


def compiled(function: Any) -> Any:
    """Compile a function when it is first called, and keep it on disk if there is a folder that may be written to."""
    try:
        return njit(cache=True, **FORM)(function)
    except RuntimeError:  # numba found none
        return njit(**FORM)(function)
