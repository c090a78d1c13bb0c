"""The store of verdicts: what inspectors said of patches, never changed, never deleted. Runs without Streamlit."""
