"""Asking why: what can be asked for, the question, and how the answers stand while they are made."""
