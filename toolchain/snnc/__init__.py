"""snnc: from a trained spiking network to a neuromorphic chip, proved spike for spike.

The public API: what stands in ``__all__``, and nothing else. `__init__.pyi` says where each name lives; it is imported when it is
first used, so that ``import snnc`` loads neither torch nor numba nor Lava.
"""

from snnc.base.lazy import exported as _exported

__getattr__, __dir__, __all__ = _exported(__name__, __file__)
