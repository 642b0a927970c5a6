"""Keeps passwords and keys out of what is printed, logged or stored."""

import re

HIDDEN = "***"
_SECRET = r"(?:token|secret|passw|pwd|key|credential|signature|sig\b|auth)"
# `://user:password@`: up to the last @ before a slash; with a slash in the password, up to the last @.
_USER = re.compile(r"(?<=://)(?:[^\s/?#'\"<>]*|[^\s/?#:@'\"<>]*:(?!\d+(?:/|$))[^\s'\"<>]*)@")
_QUERY = re.compile(rf"([?&;#][\w.%-]*{_SECRET}[\w.%-]*=)[^&;#\s'\"<>)]+", re.IGNORECASE)
_WORD = re.compile(r"(\b(?:password|passwd)\s*=\s*)(?:'[^']*'|[^\s'\",;&)]+)", re.IGNORECASE)  # libpq's way


def without_credentials(text: str) -> str:
    """The same, with `***` for whom a URI names before its `@`, and for the secrets of its query.

    A text without any, such as a path, comes back as it is.
    """
    if "://" in text:
        text = _USER.sub(f"{HIDDEN}@", text)
    if "=" in text:
        text = _WORD.sub(rf"\g<1>{HIDDEN}", _QUERY.sub(rf"\g<1>{HIDDEN}", text))
    return text
