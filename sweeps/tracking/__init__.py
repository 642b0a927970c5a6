"""What MLflow hears of a sweep, and when."""
