"""One domain for each value of an axis, for searches that are to have equal budgets."""

from epropnp.errors import UserError, nearest
from epropnp.training.identity import trial_hash
from sweeps.build_settings import Build
from sweeps.search.domain import Domain


def parts_of(domain: Domain, axis: str) -> dict[str, Domain]:
    """By the name of a value, all cells of the domain that have it.

    Raises:
        UserError: no such axis, one with a single value, a range of numbers, a value without any network,
            nothing to choose beside the axis, or two values that make the same trial.
    """
    _check_axis(domain, axis)
    parts = {name: domain.only(axis, name) for name in domain.texts[axis]}
    if all(part.size == 1 for part in parts.values()):
        raise UserError(f"--per: {axis} is all that there is to choose: add --search for what is to be tuned")
    known: dict[tuple[str, Build], str] = {}
    for name, part in parts.items():
        for cell in part.cells:
            other = known.setdefault((trial_hash(cell.config, ""), cell.build), name)
            if other != name:  # both searches would ask for one trial
                raise UserError(
                    f"--per: {axis} {name} makes a trial that {other} makes: leave one of them out"
                )
    return parts


def _check_axis(domain: Domain, axis: str) -> None:
    if axis in domain.texts:
        return
    there = ", ".join(domain.texts) or "none: give one several values, such as --backbones A B"
    if axis in domain.ranges:
        raise UserError(f"--per: {axis} is a range of numbers: list values of it ({axis}=A,B); axes: {there}")
    if axis in domain.names:
        raise UserError(f"--per: {axis} has one value: give several, or another axis; axes: {there}")
    raise UserError(f"--per: no axis '{axis}'{nearest(axis, domain.texts)}; axes: {there}")
