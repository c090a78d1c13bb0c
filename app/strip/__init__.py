"""A whole strip: what is known of it, and its picture."""
