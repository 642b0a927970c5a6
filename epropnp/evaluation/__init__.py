"""Evaluation in two phases: predictions are written to a file, then scored. Metrics by the study's
definitions and BOP's, confidence intervals, calibration.
"""
