"""Strips and their annotations become patches and a manifest; runs without torch."""
