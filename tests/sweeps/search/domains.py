"""Domains as short as tests want to write them."""

import dataclasses

from sweeps.search.domain import Domain
from sweeps.search.ranges import NumberRange, searched
from sweeps.space import Axis, Space

IDS: dict[tuple[str, ...], str] = {(): "d"}


def domain_of(given: Space, *texts: str) -> Domain:
    """Of a space, and over it what `--search` says."""
    found = [searched(text) for text in texts]
    axes = [*given.axes, *(each for each in found if isinstance(each, Axis))]
    ranges = [each for each in found if isinstance(each, NumberRange)]
    return Domain(dataclasses.replace(given, axes=axes), ranges)
