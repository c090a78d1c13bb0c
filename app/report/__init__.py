"""Reports: what an inspector hands on of strips and patches, as a PDF and as one HTML file."""
