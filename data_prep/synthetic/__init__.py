"""Strips that nobody rolled: plan a strip's geometry, then paint it; pure functions, chance is an argument."""
