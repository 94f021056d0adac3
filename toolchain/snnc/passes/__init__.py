"""Network to Network without training: quantise, dequantise, simplify, prune by magnitude."""
