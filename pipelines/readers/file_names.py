"""Files that are found by a number or a stem, whatever zeros in front and letters of the ending."""

from pathlib import Path

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")
MASK_SUFFIXES = (".png", ".tif", ".tiff", ".bmp")  # a JPEG has no sharp edges


class NumberedFiles:
    """The files of a folder that are named by numbers, such as `000012.png`, `12.PNG` or `000012_000003.bmp`.

    Of several with the same numbers, that with six digits each comes first, then the order of `suffixes`.
    """

    def __init__(self, folder: Path, suffixes: tuple[str, ...]) -> None:
        self.folder, self._suffixes = folder, suffixes
        self._found: dict[tuple[int, ...], str] = {}
        self.others: list[str] = []  # names with one of the endings that are no numbers
        names = sorted(file.name for file in folder.iterdir()) if folder.is_dir() else []
        for name in sorted(names, key=self._rank):
            if Path(name).suffix.lower() not in suffixes:
                continue
            numbers = _numbers(Path(name).stem)
            if numbers:
                self._found.setdefault(numbers, name)
            else:
                self.others.append(name)

    def find(self, *numbers: int) -> Path | None:
        """The file of these numbers; None where there is none."""
        name = self._found.get(numbers)
        file = self.folder / name if name is not None else None
        return file if file is not None and file.is_file() else None

    def tried(self, *numbers: int) -> str:
        """The names that `find` looks for, for whoever finds nothing."""
        stems = dict.fromkeys(("_".join(f"{n:06d}" for n in numbers), "_".join(map(str, numbers))))
        return f"{' or '.join(stems)} with {', '.join(self._suffixes)} in small or capital letters"

    def _rank(self, name: str) -> tuple[bool, int]:
        stem, suffix = Path(name).stem, Path(name).suffix.lower()
        padded = stem == "_".join(f"{n:06d}" for n in _numbers(stem))
        return not padded, self._suffixes.index(suffix) if suffix in self._suffixes else len(self._suffixes)


def files_by_stem(folder: Path, tail: str, suffixes: tuple[str, ...]) -> dict[str, Path]:
    """The files `STEM` + tail + one of the suffixes, by stem, sorted; the order of suffixes decides."""
    found: dict[str, Path] = {}
    for suffix in suffixes:
        for file in sorted(folder.glob(f"*{tail}.*")):
            if file.suffix.lower() == suffix and file.stem.endswith(tail):
                found.setdefault(file.stem.removesuffix(tail), file)
    return dict(sorted(found.items()))


def _numbers(stem: str) -> tuple[int, ...]:
    """The numbers that a name is made of; none where it is made of anything else."""
    parts = stem.split("_")
    if not all(part.isascii() and part.isdecimal() for part in parts):
        return ()
    return tuple(map(int, parts))
