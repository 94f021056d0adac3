"""Questions that are answered without running a network: bounds of currents, intervals, reachability, the range proof."""
