"""The proof of every object's geometry, before anything is made of it; see `readers.geometry_check`."""

from collections.abc import Iterable, Sequence

from epropnp.errors import UserError
from pipelines.building.plan import Plan
from pipelines.building.sources import Source
from pipelines.objects import ObjectInfo
from pipelines.readers.frames import Frame
from pipelines.readers.geometry_check import Finding, check_geometry

Given = tuple[ObjectInfo, Sequence[Frame]]  # an object with all its given frames


def given_frames(plan: Plan) -> list[Given]:
    """The objects of a plan, with their frames of all splits."""
    return [
        (info, [frame for frames in plan.real[info.name].by_split.values() for frame in frames])
        for info in plan.objects
    ]


def examine(source: Source, given: Given) -> tuple[Finding, ...]:
    """What is found of one object; this is what worker processes run."""
    info, frames = given
    return check_geometry(source.model(info), source.mesh(info), frames)


def proved(plan: Plan, found: Iterable[tuple[Finding, ...]]) -> dict[str, list[str]]:
    """Lines on every object's geometry for the manifest, by name, from what was found of each.

    Raises:
        UserError: for one that is clearly wrong, unless it is to be accepted.
    """
    by_name = {info.name: findings for info, findings in zip(plan.objects, found, strict=True)}
    wrong = [
        f"{name}: {finding.text}"
        for name, findings in by_name.items()
        for finding in findings
        if finding.refuses
    ]
    if wrong and not plan.config.accept_geometry:
        others = f" (and {len(wrong) - 1} more like it)" if len(wrong) > 1 else ""
        raise UserError(
            f"{wrong[0]}{others}; mend the data, or take it as it is: --accept-geometry (of a sweep: --set "
            "build.accept_geometry=yes)"
        )
    return {name: [each.line for each in findings] for name, findings in by_name.items() if findings}
