"""Names of many trials in little room: what they share is said once, and what is cut is cut in the middle."""

import re
from collections.abc import Sequence

GAP = "…"
PART = re.compile(r"[^_./-]*[_./-]+|[^_./-]+")  # of a word, with what separates it from the next one


def shortened(names: Sequence[str]) -> tuple[str, list[str]]:
    """What names have in common, with a gap where they differ, and what each has in place of the gaps.

    `hrnet_w18 seed 0` and `hrnet_w32 seed 0` are `hrnet_… seed 0`, with `w18` and `w32`. Where that is
    nothing, or does not tell them apart, the names stay as they are.
    """
    words = [name.split() for name in names]
    if len(set(names)) < 2:
        return "", list(names)
    if len({len(each) for each in words}) > 1:
        shared, rest = _cut(words)
        return (shared, rest) if len(shared) > len(GAP) else ("", list(names))
    columns = [_cut_words(column) for column in zip(*words, strict=True)]
    shared = " ".join(told for told, _ in columns)
    short = [" ".join(filter(None, parts)) for parts in zip(*(rest for _, rest in columns), strict=True)]
    if set(shared) <= {GAP, " "} or len(set(short)) < len(set(names)):
        return "", list(names)
    return shared, short


def in_the_middle(name: str, room: int) -> str:
    """The name in so many characters: where it is longer, its middle is left out."""
    if len(name) <= room:
        return name
    if room < 2:
        return GAP[:room]
    head = room // 2
    return name[:head] + GAP + name[len(name) - (room - head - 1) :]


def _cut_words(words: Sequence[str]) -> tuple[str, list[str]]:
    """The same of words that stand in one place: their first parts are cut. Numbers are not cut."""
    if len(set(words)) == 1:
        return words[0], [""] * len(words)
    if not all(word[0].isalpha() for word in words):
        return GAP, list(words)
    parts = [PART.findall(word) for word in words]
    head = _alike([each[:-1] for each in parts])
    return "".join(parts[0][:head]) + GAP, ["".join(each[head:]) for each in parts]


def _cut(lists: Sequence[Sequence[str]]) -> tuple[str, list[str]]:
    """What lists of words begin and end with, and the rest of each: one word at least."""
    least = min(map(len, lists)) - 1
    head = _alike([each[:least] for each in lists])
    tail = _alike([each[::-1][: least - head] for each in lists])
    first = lists[0]
    told = [*first[:head], GAP, *first[len(first) - tail :]]
    return " ".join(told), [" ".join(each[head : len(each) - tail]) for each in lists]


def _alike(lists: Sequence[Sequence[str]]) -> int:
    """How many of the first elements are the same in all."""
    count = 0
    for elements in zip(*lists, strict=False):
        if len(set(elements)) > 1:
            break
        count += 1
    return count
