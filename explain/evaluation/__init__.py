"""What an evaluation is made of: each patch's rows, what they come to, and the report of it."""
