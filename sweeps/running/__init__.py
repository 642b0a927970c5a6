"""Trials on Ray Tune: the cluster, the driver, one trial's process, the live display."""
