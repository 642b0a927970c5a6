"""How figures of a running sweep are written: in few characters, `-` or `?` where there is none yet."""

NONE = "-"


def duration(seconds: float | None) -> str:
    """Such as `50 s`, `12 min 05 s` and `1 h 04 min`; `?` where it is not known."""
    if seconds is None:
        return "?"
    if round(seconds) < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def percent(value: float | None) -> str:
    """Such as `12.3 %`."""
    return NONE if value is None else f"{value:.1f} %"


def loss(value: float | None) -> str:
    """Four digits."""
    return NONE if value is None else f"{value:.4g}"


def rate(per_second: float | None) -> str:
    """Without its unit: `0.25`, `7.3` and `1203`."""
    if per_second is None:
        return NONE
    digits = 2 if per_second < 1 else 1 if per_second < 100 else 0
    return f"{per_second:.{digits}f}"


def memory(size: float | None) -> str:
    """Of a number of bytes: `812 MB` or `12.3 GB`, in powers of ten."""
    if size is None:
        return NONE
    return f"{size / 1e6:.0f} MB" if size < 999.5e6 else f"{size / 1e9:.1f} GB"
