"""A C source that is being written: constant tables, the functions that it needs, and a neuron's arithmetic. Used by `_c`.

Everything is defined behaviour in C99: nothing negative is shifted, nothing overflows, and / truncates toward zero.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.network.arithmetic import Fixed
from snnc.network.model import Population
from snnc.targets.step_writer import Symbol, Writer

COLUMNS = 120
TYPES = {"i1": "int8_t", "u1": "uint8_t", "i2": "int16_t", "u2": "uint16_t", "i4": "int32_t", "u4": "uint32_t", "i8": "int64_t"}
FUNCTIONS = {  # name -> text; the braces in capitals are numbers of the network
    "decay": """/* What is left of x, of which kept / ONE stays, truncated toward zero. */
static int64_t decay(int64_t x, int64_t kept)
{
    return x * kept / ONE;
}""",
    "wrap": """/* A register that wraps around once; its range is -LIMIT + 1 .. LIMIT. */
static int64_t wrap(int64_t x)
{
    return x > LIMIT ? x - 2 * LIMIT : x <= -LIMIT ? x + 2 * LIMIT : x;
}""",
    "saturate": """/* A register that saturates. */
static int64_t saturate(int64_t x)
{
    return x > LIMIT - 1 ? LIMIT - 1 : x < 1 - LIMIT ? 1 - LIMIT : x;
}""",
    "clamp": """/* A register of two's complement that saturates. */
static int64_t clamp(int64_t x)
{
    return x > LIMIT - 1 ? LIMIT - 1 : x < -LIMIT ? -LIMIT : x;
}""",
    "leak": """/* What is left of x, which loses lost / ONE of it, rounded down, and at least 1 where x is above 0. */
static int64_t leak(int64_t x, int64_t lost)
{
    const int64_t fraction = x * lost / ONE;
    if (x > 0)
        return x - (fraction > 0 ? fraction : 1);
    return x - (fraction * ONE > x * lost ? fraction - 1 : fraction);
}""",
    "count": """/* How often the threshold fits into v, most times at most. */
static int64_t count(int64_t v, int64_t threshold, int64_t most)
{
    return v < threshold ? 0 : v / threshold > most ? most : v / threshold;
}""",
    "floored": """/* x / one, rounded to minus infinity. */
static int64_t floored(int64_t x, int64_t one)
{
    return x >= 0 ? x / one : -((one - 1 - x) / one);
}""",
}


class Source:
    """Tables and functions of a C file, each written once."""

    def __init__(self, numeric: Fixed) -> None:
        self.numeric = numeric
        self.tables: dict[str, NDArray[Any]] = {}
        self.comments: dict[str, str] = {}
        self.used: set[str] = set()

    def table(self, name: str, array: NDArray[Any], comment: str) -> str:
        """Add a constant array under this name, in the smallest type that holds it."""
        self.tables[name], self.comments[name] = smallest(array), comment
        return name

    def function(self, name: str) -> str:
        """Return the name of one of `FUNCTIONS`, which is then written."""
        self.used.add(name)
        return name

    @property
    def table_bytes(self) -> int:
        return sum(array.nbytes for array in self.tables.values())

    def text(self) -> str:
        """Return the functions and tables."""
        macros = [f"#define ONE INT64_C({1 << self.numeric.decay_bits})", f"#define LIMIT INT64_C({self.numeric.state_limit})"]
        wanted = [
            m for m, names in zip(macros, ({"decay", "leak"}, {"wrap", "saturate", "clamp"}), strict=True) if names & self.used
        ]
        functions = [text for name, text in FUNCTIONS.items() if name in self.used]
        tables = [_table(name, array, self.comments[name]) for name, array in self.tables.items()]
        return "\n\n".join([*wanted, *functions, *tables])


def smallest(array: NDArray[Any]) -> NDArray[Any]:
    """Return integers in the smallest type that holds them, unsigned where one does; arrays of bytes stay."""
    if array.dtype.itemsize == 1:
        return array
    low, high = int(array.min()), int(array.max())
    kinds = [k for k in TYPES if np.iinfo(k).min <= low and high <= np.iinfo(k).max]
    return array.astype(min(kinds, key=lambda k: (int(k[1]), k[0] == "i")))


def literal(value: int) -> str:
    """Return a 64-bit number in C."""
    return f"INT64_C({value})" if value >= 0 else f"-INT64_C({-value})"


def _table(name: str, array: NDArray[Any], comment: str) -> str:
    wide = array.dtype.itemsize == 8
    lines, line = [], "   "
    for value in array.tolist():
        word = f" {literal(value) if wide else value},"
        if len(line) + len(word) > COLUMNS:
            lines.append(line)
            line = "   "
        line += word
    body = "\n".join([*lines, line])
    kind = TYPES[array.dtype.str[1:]]
    return f"/* {comment} */\nstatic const {kind} {name}[{len(array)}] = {{\n{body}\n}};"


class CArith(Writer):
    """`Fixed` in C for neuron i of a population: one line for each operation, on int64_t."""

    numeric: Fixed

    def __init__(self, source: Source, population: Population) -> None:
        super().__init__(population, source.numeric)
        self.source = source
        self.lines: list[str] = []

    def write(self, operation: str, *operands: Any) -> Symbol:
        name = f"{operation}{len(self.lines)}"
        self.lines.append(f"const int64_t {name} = {getattr(self, f'_{operation}')(*operands)};")
        return Symbol(name, self)

    def operand(self, x: Any) -> str:
        """Return a symbol's name, a number, or the entry of a table with one number for each neuron."""
        if isinstance(x, Symbol):
            return x.name
        if not x.shape:
            return literal(int(x))
        name = f"n_{self.population.name}_{self.label(x)}"
        return self.source.table(name, x, f"{self.label(x)} of {self.population.name}") + "[i]"

    def _call(self, function: str, *operands: Any) -> str:
        return f"{self.source.function(function)}({', '.join(self.operand(x) for x in operands)})"

    def _add(self, x: Any, y: Any) -> str:
        return f"{self.operand(x)} + {self.operand(y)}"

    def _sub(self, x: Any, y: Any) -> str:
        return f"{self.operand(x)} - {self.operand(y)}"

    def _mul(self, x: Any, y: Any) -> str:
        return f"{self.operand(x)} * {self.operand(y)}"

    def _lift(self, x: Symbol) -> str:
        return f"{x.name} * {1 << self.numeric.state_shift}"

    def _decay(self, x: Symbol, decay: NDArray[Any]) -> str:
        kept = (1 << self.numeric.decay_bits) - decay
        return self._call("decay", x, self.derived(kept, "kept", decay))

    def _floor_decay(self, x: Symbol, decay: NDArray[Any]) -> str:
        one = 1 << self.numeric.decay_bits
        kept = self.derived(one - decay, "kept", decay)
        return f"{self.source.function('floored')}({x.name} * {self.operand(kept)}, {literal(one)})"

    def _leak(self, x: Symbol, decay: NDArray[Any]) -> str:
        return self._call("leak", x, decay)

    def _multiply(self, x: Symbol, fraction: NDArray[Any]) -> str:
        return self._call("decay", x, fraction)

    def _wrap(self, x: Symbol) -> str:
        return self._call("wrap", x)

    def _saturate(self, x: Symbol) -> str:
        return self._call("saturate", x)

    def _clamp(self, x: Symbol) -> str:
        return self._call("clamp", x)

    def _count(self, v: Symbol, threshold: Any, most: int) -> str:
        return f"{self.source.function('count')}({v.name}, {self.operand(threshold)}, {most})"

    def _remainder(self, v: Symbol, threshold: Any, most: int) -> str:
        return f"{v.name} - {self._count(v, threshold, most)} * {self.operand(threshold)}"

    def _above(self, v: Symbol, threshold: Any) -> str:
        return f"{v.name} > {self.operand(threshold)}"

    def _at_least(self, v: Symbol, threshold: Any) -> str:
        return f"{v.name} >= {self.operand(threshold)}"

    def _reset_to(self, v: Symbol, spikes: Symbol, value: Any) -> str:
        return f"{spikes.name} ? {self.operand(value)} : {v.name}"

    def _clear(self, v: Symbol, spikes: Symbol) -> str:
        return f"{spikes.name} ? 0 : {v.name}"

    def _subtract(self, v: Symbol, spikes: Symbol, amount: Any) -> str:
        return f"{spikes.name} ? {v.name} - {self.operand(amount)} : {v.name}"

    def _positive(self, x: Symbol) -> str:
        return f"{x.name} > 0"

    def _silent(self, v: Symbol) -> str:
        return "0"
