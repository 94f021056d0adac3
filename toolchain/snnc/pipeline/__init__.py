"""The whole chain in one call, its record, and what is installed."""
