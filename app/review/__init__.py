"""The review queue: what it is narrowed to, its rows, how they are drawn, and filters with a name."""
