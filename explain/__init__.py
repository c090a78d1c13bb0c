"""A checkpoint and images become maps."""
