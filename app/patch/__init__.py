"""A patch: its picture and heats, the model's bars, and how a map came about."""
