"""A rule that makes the synapses of a connection: data, as it is stored. `snnc.rules.expand` draws them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal, Self, get_args

from snnc.errors import NetworkError
from snnc.network.synapses import MAX_DELAY_STEPS

Pattern = Literal["all_to_all", "one_to_one", "fixed_in_degree", "fixed_probability"]
Kind = Literal["constant", "uniform", "normal"]

MAX_SEED = (1 << 64) - 1
MAX_SIDE = (1 << 31) - 1  # neurons of a population, as synapses name them with 32 bits


@dataclass(frozen=True)
class Draw:
    """How the weight or the delay of each synapse is drawn: from ``low`` to ``high``, both included.

    "constant" is always ``low``. "uniform" is even. "normal" has a mean and a standard deviation, and what lies outside is
    drawn again (the mean after `snnc.rules.expand.TRIES` times). Delays are rounded to whole steps before they are compared.

    Examples:
        >>> from snnc.rules.rule import Draw
        >>> Draw.of({"normal": [1.0, 0.1], "between": [0.5, 1.5]})
        Draw(kind='normal', low=0.5, high=1.5, mean=1.0, std=0.1)
    """

    kind: Kind
    low: float
    high: float
    mean: float = 0.0
    std: float = 0.0

    def __post_init__(self) -> None:
        for name in ("low", "high", "mean", "std"):
            object.__setattr__(self, name, float(getattr(self, name)))

    @classmethod
    def constant(cls, value: float) -> Self:
        """Return the draw of one value."""
        return cls("constant", value, value)

    @classmethod
    def normal(cls, mean: float, std: float, low: float, high: float) -> Self:
        """Return the draw of a normal distribution between two ends."""
        return cls("normal", low, high, mean, std)

    @classmethod
    def of(cls, value: Any) -> Self:
        """Read a number, ``{"uniform": [low, high]}`` or ``{"normal": [mean, std], "between": [low, high]}``.

        Raises NetworkError for anything else.
        """
        match value:
            case int() | float():
                return cls.constant(_number(value))
            case {"uniform": [low, high], **rest} if not rest:
                return cls("uniform", _number(low), _number(high))
            case {"normal": [mean, std], "between": [low, high], **rest} if not rest:
                return cls.normal(*map(_number, (mean, std, low, high)))
        fix = "write a number, { uniform = [low, high] } or { normal = [mean, std], between = [low, high] }"
        raise NetworkError(f"{value!r} says not how to draw a weight or a delay", fix=fix)

    def to_json(self) -> Any:
        """Return what `of` reads."""
        match self.kind:
            case "constant":
                return self.low
            case "uniform":
                return {"uniform": [self.low, self.high]}
            case "normal":
                return {"normal": [self.mean, self.std], "between": [self.low, self.high]}

    def problems(self) -> Iterator[str]:
        """Yield what is wrong, if anything."""
        if not all(map(isfinite, (self.low, self.high, self.mean, self.std))):
            yield "draws from numbers that are NaN or infinite"
        elif self.low > self.high:
            yield f"draws between {self.low:g} and {self.high:g}, whose order is wrong"
        elif self.kind == "normal" and (self.std < 0 or not self.low <= self.mean <= self.high):
            ends = f"between {self.low:g} and {self.high:g}"
            yield f"draws around {self.mean:g} with deviation {self.std:g} {ends}, which is impossible"


@dataclass(frozen=True)
class Rule:
    """Which synapses join ``n_src`` neurons to ``n_dst``, and how their weights and delays are drawn.

    "fixed_probability" draws each pair with ``probability``, "fixed_in_degree" gives each target ``in_degree`` different
    sources. Rows are drawn by Philox4x32-10, keyed by the seed and counted by the row (Salmon et al., "Parallel random numbers:
    as easy as 1, 2, 3", SC 2011), so that any slice of rows can be drawn alone.

    With ``tiles``, both populations are as many equal copies one after the other, and copy t gets the same synapses from copy
    (t + ``offset``) modulo ``tiles``. With ``grid``, (factor, step), a weight w is the integer step * rint(factor * w).
    """

    pattern: Pattern
    n_dst: int  # of one tile
    n_src: int
    weight: Draw
    seed: int = 0
    probability: float = 0.0
    in_degree: int = 0
    delay: Draw | None = None  # in steps, on top of those of the connection
    tiles: int = 1
    offset: int = 0
    grid: tuple[float, int] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return JSON values; `of_json` makes the rule again."""
        amounts: dict[str, dict[str, Any]] = {
            "fixed_probability": {"probability": self.probability},
            "fixed_in_degree": {"in_degree": self.in_degree},
        }
        return {
            "pattern": self.pattern, "n_dst": self.n_dst, "n_src": self.n_src, "weight": self.weight.to_json(), "seed": self.seed,
            **amounts.get(self.pattern, {}),
            **({"delay": self.delay.to_json()} if self.delay else {}),
            **({"tiles": self.tiles, "offset": self.offset} if self.tiles > 1 else {}),
            **({"grid": list(self.grid)} if self.grid else {}),
        }  # fmt: skip

    @classmethod
    def of_json(cls, fields: Mapping[str, Any]) -> Self:
        """Return the rule that `to_json` wrote. Raises NetworkError, KeyError, TypeError or ValueError for a damaged one."""
        known = dict(fields)
        known["weight"] = Draw.of(known["weight"])
        known["delay"] = Draw.of(known["delay"]) if "delay" in known else None
        known["grid"] = (float(known["grid"][0]), _whole(known["grid"][1])) if "grid" in known else None
        known["probability"] = _number(known.get("probability", 0.0))
        for name in ("n_dst", "n_src", "seed", "in_degree", "tiles", "offset"):
            if name in known:
                known[name] = _whole(known[name])
        return cls(**known)

    @property
    def shape(self) -> tuple[int, int]:
        """(n_dst, n_src) of all tiles."""
        return self.tiles * self.n_dst, self.tiles * self.n_src

    def problems(self) -> Iterator[str]:
        """Yield what is wrong, if anything."""
        if self.pattern not in get_args(Pattern):
            yield f"has the rule {self.pattern!r}, expected one of {', '.join(get_args(Pattern))}"
            return
        if not (self.n_dst >= 1 and self.n_src >= 1 and self.tiles >= 1 and max(self.shape) <= MAX_SIDE):
            yield f"joins {self.n_src} to {self.n_dst} neurons, {self.tiles} times; 1 to {MAX_SIDE:,} neurons are possible"
        elif not 0 <= self.seed <= MAX_SEED:
            yield f"has the seed {self.seed}, 0 to 2**64 - 1 are possible"
        elif self.pattern == "fixed_probability" and not 0 < self.probability <= 1:
            yield f"has the probability {self.probability}, expected more than 0 and at most 1"
        elif self.pattern == "fixed_in_degree" and not 1 <= self.in_degree <= self.n_src:
            yield f"has an in-degree of {self.in_degree}, 1 to {self.n_src} (its sources) are possible"
        elif self.pattern == "one_to_one" and self.n_dst != self.n_src:
            yield f"joins {self.n_src} to {self.n_dst} neurons one to one"
        elif not 0 <= self.offset < self.tiles:
            yield f"comes from {self.offset} tiles on, there are {self.tiles}"
        elif self.grid and not (isfinite(self.grid[0]) and self.grid[0] > 0 and 1 <= self.grid[1] <= 256):
            yield f"has weights on the grid {self.grid}, which is impossible"
        yield from self.weight.problems()
        yield from self._delay_problems()

    def _delay_problems(self) -> Iterator[str]:
        if self.delay is None:
            return
        yield from self.delay.problems()
        if not 0 <= self.delay.low <= self.delay.high <= MAX_DELAY_STEPS or any(x % 1 for x in (self.delay.low, self.delay.high)):
            yield (
                f"has synapses with delays of {self.delay.low:g} .. {self.delay.high:g} steps,"
                f" whole numbers from 0 to {MAX_DELAY_STEPS} are possible"
            )


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NetworkError(f"{value!r} is no number")
    return float(value)


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise NetworkError(f"{value!r} is no whole number")
    return value
