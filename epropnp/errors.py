"""The exception that means "the user can mend this": command lines print it as one line and exit 2."""

import difflib
from collections.abc import Iterable

from epropnp.credentials import without_credentials


class UserError(Exception):
    """Bad input. The message says what is wrong, where, and what to do about it; it tells no credentials."""

    def __str__(self) -> str:
        return without_credentials(super().__str__())


def first_line(error: BaseException) -> str:
    """The first line of what an error says; its type's name where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def nearest(name: str, valid: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for the valid name closest to `name`, or an empty string."""
    match = difflib.get_close_matches(name, list(valid), n=1, cutoff=0.5)
    return f"; did you mean '{match[0]}'?" if match else ""
