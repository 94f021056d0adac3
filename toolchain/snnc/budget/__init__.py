"""From a budget of a chip to the connectivity of each layer, without training. `plan.py` is the way in."""
