"""New strips: images that are not part of the data, uploaded or found in a watched folder."""
