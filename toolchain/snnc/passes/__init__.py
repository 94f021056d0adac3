"""Network to Network without training: quantise, dequantise, limit, simplify, prune by magnitude."""
