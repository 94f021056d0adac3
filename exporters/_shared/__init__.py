"""What several targets need: arrays, HDF5, integers, reading back."""
