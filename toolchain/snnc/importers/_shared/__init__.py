"""What several importers need: HDF5 files, encodings, names, settings."""
