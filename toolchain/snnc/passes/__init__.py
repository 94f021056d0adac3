"""Network to Network without training: quantise, dequantise, simplify."""
