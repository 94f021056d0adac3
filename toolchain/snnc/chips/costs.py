"""What events on a chip cost in energy and time: the table [costs] of a hardware profile. Used by the target sanafe."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Costs:
    """Energy (picojoules) and latency (nanoseconds) of each event.

    A profile has them all, each with its source, or none. With none, `Costs()` stands in where a simulator asks for numbers,
    and what it makes of them is told nobody.
    """

    hop_vertical_pj: float = 0.0  # a message on a link between two tiles of a column
    hop_vertical_ns: float = 0.0
    hop_horizontal_pj: float = 0.0  # of a row
    hop_horizontal_ns: float = 0.0
    axon_in_pj: float = 0.0  # a message that arrives at a core
    axon_in_ns: float = 0.0
    axon_out_pj: float = 0.0  # a message that leaves one
    axon_out_ns: float = 0.0
    synapse_sparse_pj: float = 0.0  # a synapse read, in each storage format
    synapse_sparse_ns: float = 0.0
    synapse_dense_pj: float = 0.0
    synapse_dense_ns: float = 0.0
    neuron_access_pj: float = 0.0  # a neuron looked at in a step
    neuron_access_ns: float = 0.0
    neuron_update_pj: float = 0.0  # and its state changed
    neuron_update_ns: float = 0.0
    spike_pj: float = 0.0  # and a spike sent
    spike_ns: float = 0.0
    link_buffer_messages: int = 1
    barrier_tiles: tuple[int, ...] = (1,)  # the end of a step, by how many tiles take part
    barrier_ns: tuple[float, ...] = (0.0,)
