"""What the bands of an image are called, and how they are found by name."""

from collections.abc import Sequence

from rasterio.enums import ColorInterp
from rasterio.io import DatasetReader

from eartheye.errors import WrongBands
from eartheye.wording import counted

PALETTE = "palette"
"""Name of a band whose values are numbers of colours."""
COLOURS = {
    ColorInterp.red: "red",
    ColorInterp.green: "green",
    ColorInterp.blue: "blue",
    ColorInterp.nir: "nir",
    ColorInterp.pan: "pan",
    ColorInterp.palette: PALETTE,
}


def name_bands(dataset: DatasetReader, names: Sequence[str] | None, where: str) -> dict[str, int]:
    """Return the number of each band by its name, in the order of the file; an alpha band is none, unless it is given a name.

    The names are those given; else the file's descriptions; else its colours, where grey alone is `pan`; a band that the file says
    nothing about is `band-1` and so on.

    Args:
        dataset: an open raster.
        names: of all bands, in order.
        where: the file, for the message.

    Raises:
        WrongBands: there are more or fewer names than bands, or a name stands twice.
    """
    with_alpha = range(1, dataset.count + 1)
    numbers = [number for number in with_alpha if dataset.colorinterp[number - 1] != ColorInterp.alpha]
    if names is None:
        return dict(zip(_own_names(dataset, numbers), numbers, strict=True))
    if len(set(names)) < len(names):
        raise WrongBands(f"the bands of {where} were named {list(names)}: give each its own name")
    for candidates in (numbers, with_alpha):
        if len(candidates) == len(names):
            return dict(zip(names, candidates, strict=True))
    found, named = counted(len(numbers), "band"), f"{len(names)} ({', '.join(names)})"
    raise WrongBands(f"{where} has {found}, names were given for {named}: name all, in the file's order")


def _own_names(dataset: DatasetReader, numbers: list[int]) -> list[str]:
    described = [dataset.descriptions[number - 1] for number in numbers]
    if all(described) and len(set(described)) == len(described):
        return described
    colours = [dataset.colorinterp[number - 1] for number in numbers]
    if colours == [ColorInterp.gray]:
        return ["pan"]
    names = [COLOURS.get(colour, f"band-{number}") for colour, number in zip(colours, numbers, strict=True)]
    return names if len(set(names)) == len(names) else [f"band-{number}" for number in numbers]


def select_bands(scene_bands: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Return the positions, from 0, of the wanted bands among a scene's; a band may be wanted several times.

    Raises:
        WrongBands: the scene lacks one.
    """
    if missing := [name for name in dict.fromkeys(wanted) if name not in scene_bands]:
        change = "turn it into bands with gdal_translate -expand rgb" if PALETTE in scene_bands else "name its bands, or take another"
        raise WrongBands(f"bands {', '.join(missing)} are wanted, the image has {', '.join(scene_bands)}: {change}")
    return [list(scene_bands).index(name) for name in wanted]
