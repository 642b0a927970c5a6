"""Pictures of predictions: where people would rather look than read."""
