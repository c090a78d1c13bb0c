"""How quick the inspector is under a user's hand: `python -m app.benchmark`."""
