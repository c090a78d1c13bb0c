"""Who may open the inspector, and what they may do in it."""
