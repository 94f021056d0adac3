"""FPGAs: what memories a device has, and how many of them the memories of a design take."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

Where = Literal["block RAM", "large RAM", "logic cells"]
SMALL_WORDS = 128  # of a memory that lies in logic cells where they can be memory, so that block RAM is left for synapses


@dataclass(frozen=True)
class Memory:
    """A memory of a design: ``copies`` times ``words`` words of ``bits`` bits.

    ``constant``: is never written, so that parts of words can be packed. ``small``: may lie in logic cells. ``loadable``: may
    be filled after the start, and so lie in memory that no bitstream fills.
    """

    name: str
    words: int
    bits: int
    copies: int = 1
    constant: bool = False
    small: bool = False
    loadable: bool = False


@dataclass(frozen=True)
class Placed:
    """Where a memory lies, and how many RAMs of that kind all its copies take; 0 in logic cells."""

    memory: Memory
    where: Where
    rams: int


@dataclass(frozen=True)
class Fpga:
    """The cells of a device that a design is made of. Large RAMs have a single port, and no bitstream fills them."""

    family: str  # of which tools speak: ice40, ecp5, xc7
    luts: int
    lut_inputs: int
    flip_flops: int
    lut_memory: bool  # whether LUTs can be memory
    block_rams: int
    block_ram_bits: int
    block_ram_widths: tuple[int, ...]  # bits of a word that a block RAM can have
    multipliers: int
    large_rams: int = 0
    large_ram_words: int = 0
    large_ram_bits: int = 0  # of a word
    large_ram_mask_bits: int = 0  # of a word that can be written on their own

    @property
    def limits(self) -> dict[str, int]:
        """The memories that a design can run out of, as `uses` counts them."""
        return {"block_rams": self.block_rams, **({"large_rams": self.large_rams} if self.large_rams else {})}

    def blocks(self, memory: Memory) -> int:
        """Return the block RAMs of one copy of a memory: all of one shape, the one that takes fewest.

        Where it is constant, what is left of its words beside full columns may lie in RAMs of another shape, whose words hold
        several such parts: as yosys packs it.
        """
        shapes = [(bits, _power_of_two(self.block_ram_bits // bits)) for bits in self.block_ram_widths]
        if not memory.constant:
            return min(_ceil(memory.bits, bits) * _ceil(memory.words, depth) for bits, depth in shapes)
        return min(
            memory.bits // bits * _ceil(memory.words, depth)
            + min(_packed(memory, memory.bits % bits, *other) for other in shapes)
            for bits, depth in shapes
        )

    def large(self, memory: Memory) -> int:
        """Return the large RAMs of one copy of a memory; of what is left beside full columns, several parts share one."""
        bits, depth = self.large_ram_bits, self.large_ram_words
        left = _ceil(memory.bits % bits, self.large_ram_mask_bits) * self.large_ram_mask_bits
        return memory.bits // bits * _ceil(memory.words, depth) + _packed(memory, left, bits, depth)

    def luts_of(self, placed: "Placed") -> int:
        """Return about how many LUTs a memory takes in logic cells: its bits, and what selects one of its words."""
        if placed.where != "logic cells":
            return 0
        deep = _ceil(placed.memory.words, 1 << self.lut_inputs)
        return placed.memory.copies * placed.memory.bits * (deep + _ceil(deep, 2))

    def place(self, memories: Iterable[Memory]) -> tuple[Placed, ...]:
        """Lay memories into the device: all into block RAM if that is enough, else what is loadable into large RAM."""
        memories = tuple(memories)
        inside = tuple(self._placed(memory, large=False) for memory in memories)
        if not self.large_rams or uses(inside)["block_rams"] <= self.block_rams:
            return inside
        return tuple(self._placed(memory, large=memory.loadable) for memory in memories)

    def _placed(self, memory: Memory, large: bool) -> Placed:
        if self.lut_memory and memory.small and memory.words <= SMALL_WORDS:
            return Placed(memory, "logic cells", 0)
        if large:
            return Placed(memory, "large RAM", memory.copies * self.large(memory))
        return Placed(memory, "block RAM", memory.copies * self.blocks(memory))


def uses(placed: Iterable[Placed]) -> dict[str, int]:
    """Return the block RAMs and large RAMs that memories take together."""
    placed = tuple(placed)
    kinds: Mapping[str, Where] = {"block_rams": "block RAM", "large_rams": "large RAM"}
    return {kind: sum(one.rams for one in placed if one.where == where) for kind, where in kinds.items()}


def _packed(memory: Memory, left: int, bits: int, depth: int) -> int:
    """Return the RAMs that ``left`` bits of each word take, where a word of the RAM holds as many of them as go side by side."""
    if not left:
        return 0
    rows = _ceil(memory.words, depth)
    return _ceil(rows, bits // left) if left <= bits else _ceil(left, bits) * rows


def _ceil(amount: int, each: int) -> int:
    return -(-amount // each)


def _power_of_two(n: int) -> int:
    """Return the largest power of two up to ``n``: the words that an address can name."""
    return 1 << (n.bit_length() - 1)
