"""From a network to a chip's cores: cut, place on the mesh, measure. `choose.py` is the way in."""
