"""The dataset: its immutable Arrow format, and what turns records into training batches."""
