"""The shared vocabulary: what two or more rooms of the house must agree on."""
