"""Nodes of a cluster on which whatever begins there ends: they are left out, and cost no trial a retry."""

from collections.abc import Callable

from sweeps.search.search import Planned


class Nodes:
    """Hears where trials live and end.

    Args:
        say: to the user, in a line.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._ended_early: dict[str, list[Planned]] = {}  # in a row, by node
        self._working: set[str] = set()
        self.left_out: set[str] = set()

    def lived(self, node: str | None) -> None:
        """A trial has got somewhere on a node."""
        if node is not None:
            self._working.add(node)
            self._ended_early.pop(node, None)

    def ended_early(self, node: str | None, trial: Planned) -> list[Planned]:
        """A trial ended on a node before its first report; says which trials are to be run again for that.

        They are all that ended so where the node is left out now: two of different settings ended there in a
        row, while another node works.
        """
        if node is None or node in self.left_out:
            return []
        ended = self._ended_early.setdefault(node, [])
        ended.append(trial)
        if len({each.setting for each in ended}) < 2 or not self._working - {node}:
            return []
        self.left_out.add(node)
        self._say(
            f"node {node} is left out from now on: {len(ended)} trials ended there before their first step, "
            "while others work elsewhere"
        )
        return list({each.name: each for each in self._ended_early.pop(node)}.values())
