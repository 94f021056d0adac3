"""What Lava 0.10.0 runs: the program of the targets `lava` and `loihi`, and what it cannot express."""
