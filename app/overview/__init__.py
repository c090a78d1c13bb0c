"""The panels of the overview: one file a panel. Each tells what it cannot show, and the others stand."""
