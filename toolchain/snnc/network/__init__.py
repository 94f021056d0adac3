"""What a network is: numbers, neuron and operator contracts, synapses, populations, connections, delays. Knows no model."""
