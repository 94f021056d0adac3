"""What a network may use of a chip, as a user writes it: "loihi1:cores=8,packets=20000"."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import snnc.chips as chips
from snnc.budget.fpga import LANES
from snnc.chips.profile import Profile
from snnc.errors import ConfigError, nearest
from snnc.mapping.usage import words_for

WORDS = ("cores", "chips", "packets")
OF_FPGAS = ("lanes",)
LARGEST = 1 << 60


@dataclass(frozen=True)
class Goal:
    """A chip and how much of it may be used.

    ``limits``: of a chip "cores" always, "packets" (an inference) if they are limited; of an FPGA all its memories, which a
    design with ``lanes`` lanes must not exceed.
    """

    profile: Profile
    limits: Mapping[str, int]
    lanes: int = 1

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read CHIP:cores=N, CHIP:chips=N, CHIP:packets=N, or several of them with commas; CHIP as `chips.load` takes it.

        Of an FPGA, read CHIP or CHIP:lanes=N.

        Raises ProfileError for an unknown chip, ConfigError for an unknown word, an amount that is no whole number above 0,
        or more than the chip has.
        """
        chip, colon, asked = text.rpartition(":") if ":" in text else (text, "", "")
        profile = chips.load(chip) if chip else None
        if profile is None or not (colon or profile.fpga):
            raise ConfigError(f"fit = {text!r} is no CHIP:cores=N", fix="write loihi1:cores=8, say")
        amounts: dict[str, int] = {}
        for part in asked.split(",") if colon else ():
            word, amount = _amount(part, text, OF_FPGAS if profile.fpga else WORDS)
            if word in amounts:
                raise ConfigError(f"fit = {text!r} says {word} twice", fix="say it once")
            amounts[word] = amount
        if profile.fpga:
            return cls(profile, profile.fpga.limits, _lanes(amounts.get("lanes", 1), text))
        return cls(profile, _limits(profile, amounts))

    def is_met(self, uses: Mapping[str, float]) -> bool:
        """Tell whether what a network uses, as `measure` counts it, is within every limit and every total of the chip."""
        return self.excess(uses) <= 1

    def excess(self, uses: Mapping[str, float]) -> float:
        """Return the largest part of a limit that is used: above 1 the goal is not met."""
        return max(uses[key] / limit for key, limit in {**self.profile.totals, **self.limits}.items())

    def cost(self, uses: Mapping[str, float]) -> float:
        """Return the parts of the limits that are used, added up; cores and RAMs count as if they could be filled to the brim."""
        if self.profile.fpga:
            return uses["share"]
        limits = {**self.profile.totals, **self.limits}
        return sum(uses["share" if key == "cores" else key] / limit for key, limit in limits.items())

    def stricter(self, part: float) -> "Goal":
        """Return the goal with ``part`` of the packets: spikes change when a network is trained on, cores do not."""
        limits = {key: max(1, int(part * n)) if key == "packets" else n for key, n in self.limits.items()}
        return Goal(self.profile, limits, self.lanes)

    def __str__(self) -> str:
        asked = " and ".join(
            f"{n:,} {words_for(key) if n > 1 else words_for(key).removesuffix('s')}" for key, n in self.limits.items()
        )
        lanes = f" with {self.lanes} lane{'s' if self.lanes > 1 else ''}" if self.profile.fpga else ""
        return f"{asked} of {self.profile.name}{lanes}"


def _lanes(lanes: int, text: str) -> int:
    if lanes not in LANES:
        raise ConfigError(f"fit = {text!r}: lanes = {lanes} is no power of two up to {LANES[-1]}", fix="write lanes=2, say")
    return lanes


def _amount(part: str, text: str, words: tuple[str, ...]) -> tuple[str, int]:
    word, equals, number = (token.strip() for token in part.partition("="))
    if word not in words:
        raise ConfigError(f"fit = {text!r} limits {word!r}", fix=nearest(word, words))
    if not equals or not (number.isascii() and number.isdigit()) or not 0 < int(number[:20]) < LARGEST:
        raise ConfigError(f"fit = {text!r}: {word} = {number[:20]!r} is no whole number above 0", fix=f"write {word}=8, say")
    return word, int(number)


def _limits(profile: Profile, amounts: dict[str, int]) -> dict[str, int]:
    """Return the limits with chips as cores; all cores of the chip where neither is limited."""
    if amounts.get("chips", 1) > profile.chips:
        raise ConfigError(
            f"chips = {amounts['chips']}, {profile.name} has {profile.chips}", fix="ask for fewer, or name a larger system"
        )
    if amounts.get("cores", 1) > profile.cores:
        raise ConfigError(
            f"cores = {amounts['cores']}, {profile.name} has {profile.cores}", fix="ask for fewer, or name a larger system"
        )
    per_chip = profile.cores_per_chip
    cores = min(amounts.get("cores", profile.cores), amounts.get("chips", profile.chips) * per_chip)
    return {"cores": cores, **({"packets": amounts["packets"]} if "packets" in amounts else {})}
