"""How well a map agrees with the ground truth."""
