"""Values of a hardware profile that are possible one by one and not together."""

from collections.abc import Iterator, Mapping
from typing import Any

from snnc.chips import memory

MOST_CORES = 1 << 20  # of a system: ten times the largest there is; placing takes memory for each


def of_rules() -> tuple[str, ...]:
    """Return the keys of the storage table that not every rule reads."""
    return tuple(sorted({key for name in memory.names() for key in memory.rule(name).FIELDS}))


def contradictions(value: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (what is wrong, what to do) for values by "table.key" that contradict each other."""
    if "fpga.family" in value:
        yield from _of_fpgas(value)
        return
    if (cores := value["chip.cores"] * value.get("chip.chips", 1)) > MOST_CORES:
        yield (
            f"chip.cores times chip.chips is {cores:,}, at most {MOST_CORES:,} can be mapped to",
            "describe a part of the system",
        )
    graded, bits = value["features.graded_spikes"], value["features.message_bits_max"]
    if graded != (bits > 0):
        yield (
            f"features.graded_spikes is {graded} with features.message_bits_max {bits}",
            "graded spikes have at least 1 bit, other spikes 0",
        )
    yield from _about_neurons(value)
    weight_bits = value.get("numeric.weight_bits", 0)
    if "storage.model" in value and (widest := max(value["storage.weight_field_bits"])) < weight_bits:
        yield f"numeric.weight_bits is {weight_bits}, storage.weight_field_bits end at {widest}", "add a wider field"
    if "storage.model" in value:
        yield from _of_another_rule(value)
    needy = next((name for name in ("storage.model", "limits.weight_bytes_per_core") if name in value), None)
    if needy and not weight_bits:
        yield f"{needy} is of no use without numeric.weight_bits", "add it, or leave both out"
    if "limits.synapse_words_per_axon" in value and "storage.model" not in value:
        yield "limits.synapse_words_per_axon is of no use without a storage table", "add it, or leave both out"
    tiles, waits = value.get("costs.barrier_tiles", ()), value.get("costs.barrier_ns", ())
    if len(tiles) != len(waits):
        yield f"costs.barrier_tiles has {len(tiles)} numbers, costs.barrier_ns {len(waits)}", "give a time for each"
    if "mesh.tile_columns" in value:
        places = value["mesh.tile_columns"] * value["mesh.tile_rows"] * value["mesh.cores_per_tile"]
        if places < value["chip.cores"]:
            yield f"the mesh has {places} places for {value['chip.cores']} cores", "correct mesh or chip.cores"


def _of_fpgas(value: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what an FPGA cannot have: cores, what they compute and their limits, or widths that its RAMs do not hold."""
    if other := next((key for key in value if key.partition(".")[0] not in ("fpga", "numeric")), None):
        yield f"it is an FPGA, which has no {other}", "leave it out, or leave out the table fpga"
    if (widest := max(value["fpga.block_ram_widths"])) > value["fpga.block_ram_bits"]:
        yield f"fpga.block_ram_widths end at {widest}, a block RAM has {value['fpga.block_ram_bits']} bits", "correct one of them"
    if value.get("fpga.large_ram_mask_bits", 1) > value.get("fpga.large_ram_bits", 1):
        yield "fpga.large_ram_mask_bits is more than fpga.large_ram_bits", "correct one of them"


def _about_neurons(value: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield contradictions between the models that a chip computes, those that it can be programmed for, and other dynamics."""
    if bool(value["features.neurons"]) == ("features.other_dynamics" in value):
        yield (
            f"features.neurons is {value['features.neurons']} {'with' if value['features.neurons'] else 'without'}"
            " features.other_dynamics",
            "name the models that it computes, or with an empty list say what it computes instead",
        )
    if both := sorted({*value["features.neurons"]} & {*value.get("features.programmable_neurons", ())}):
        yield f"features.neurons and features.programmable_neurons both have {both[0]!r}", "leave it out of one"
    if "features.programmable_neurons" in value and not value["features.neurons"]:
        yield "features.programmable_neurons is of no use where features.neurons is empty", "leave it out"


def _of_another_rule(value: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what the storage table says that its model does not read, and what it does not say."""
    model = value["storage.model"]
    rule = memory.rule(model)
    for key in of_rules():
        if (f"storage.{key}" in value) != (key in rule.FIELDS):
            have, fix = ("needs", "add it") if key in rule.FIELDS else ("does not read", "leave it out")
            yield f"storage.model {model!r} {have} storage.{key}", fix
    for stored_as in value["storage.formats"]:
        if stored_as not in rule.FORMATS:
            yield f"storage.model {model!r} has no format {stored_as!r}", f"use some of: {', '.join(rule.FORMATS)}"
    steps, widest = value.get("features.delay_steps_max", 0), max(value.get("storage.delay_field_bits", [64]))
    if steps.bit_length() > widest:
        yield f"features.delay_steps_max is {steps}, storage.delay_field_bits end at {widest}", "add a wider field"
