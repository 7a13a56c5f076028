"""Small real recordings that ship with the package; README.md beside them gives source, licence and attribution."""

from pathlib import Path


def path(name: str) -> Path:
    """The folder of a sample, ready for `prepare`.

    >>> path("reaching").name
    'reaching'
    """
    here = Path(__file__).parent
    known = sorted(folder.name for folder in here.iterdir() if (folder / "brainfm.yaml").is_file())
    if name not in known:
        raise ValueError(f"there is no sample {name!r}: take one of {known}")
    return here / name
