"""The supervised training loop: epochs, checkpoints, records, ranks."""
