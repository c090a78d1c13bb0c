"""Patches become a trained classifier and its scores."""
