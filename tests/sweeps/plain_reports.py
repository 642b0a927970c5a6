"""Reports without figures, test images and page, which take longer than small trials, and have own tests."""

import pytest

from sweeps.results.report import Reporter


def draw_nothing(patch: pytest.MonkeyPatch) -> None:
    """Leave tables and answers alone in all reports of this process."""
    patch.setattr(Reporter, "_drawn", lambda self, report, summary: report)
