"""The demo: the commands in a row, as a command and at one click."""
