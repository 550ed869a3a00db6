"""What each part of a run can and cannot show, in sentences made from what was found."""

import datetime as dt
from collections.abc import Sequence

import numpy as np
import pandas as pd
import shapely
from pyproj import Geod

from components.evaluator.scoring import PRETRAINED, RANDOM
from components.finetuner.config import SamplesConfig
from components.pretrainer.config import PretrainConfig
from components.sampler.config import SamplerConfig
from eartheye.contracts import LAND_CLASSES, LabelSet, Report, Score
from eartheye.tiles import TileSet
from eartheye.tiles.footprint import footprints
from eartheye.wording import counted
from services.demo.report.wording import M2_PER_HA, length, listed, spread, two_digits

FEW_SITES_OF_TARGET = 0.9
MANY_SITES_OF_TARGET = 1.1
WGS84 = Geod(ellps="WGS84")
MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December")


def of_sites(
    cell_km: int, layers_m: dict[str, float], per_class: dict[int, int], per_stratum: pd.Series, config: SamplerConfig
) -> list[str]:
    """Say how far cells and sites can be told apart.

    Args:
        cell_km: width of a cell.
        layers_m: ground sampling distance of the layers that cells are described by.
        per_class: cells of each land class met, by its number.
        per_stratum: sites drawn in each stratum.
        config: of the drawing.
    """
    words = []
    for layer, gsd_m in layers_m.items():
        ratio = gsd_m / (cell_km * 1000)
        if ratio > 1:
            words.append(
                f"A pixel of the {layer} is {length(gsd_m)}, wider than a cell of {cell_km} km: neighbouring cells share its value."
            )
        elif ratio > 1 / 3:
            words.append(f"A pixel of the {layer} is {length(gsd_m)}: a cell of {cell_km} km holds about {ratio**-2:.1f} of them.")
    drawn, once = int(per_stratum.sum()), int((per_stratum == 1).sum())
    ratio_met = round(sum(list(config.class_ratio.model_dump().values())[number - 1] for number in per_class), 2)
    if drawn > MANY_SITES_OF_TARGET * config.target_sites:
        reasons = []
        if ratio_met > 1:
            reasons.append(f"the ratios of the classes met add up to {ratio_met:.0%}")
        if drawn > MANY_SITES_OF_TARGET * config.target_sites * max(ratio_met, 1):
            reasons.append(
                f"in {counted(once, 'stratum', 'strata')} the equation's least of one site decides, so that small strata have more than "
                "their share"
            )
        words.append(f"{drawn:,} sites, not the {config.target_sites:,} asked: {'; '.join(reasons)}.")
    if drawn < FEW_SITES_OF_TARGET * config.target_sites:
        why = f"the classes met hold {ratio_met:.0%} of the class ratio" if ratio_met < 1 else "strata have fewer cells than their share"
        words.append(f"{counted(drawn, 'site')}, not the {config.target_sites:,} asked: {why}.")
    if len(per_class) == 1:
        only = LAND_CLASSES[next(iter(per_class)) - 1]
        words.append(f"All cells are {only} in this land cover: the drawing is one of places, not of kinds of land.")
    return words


def of_tiles(tiles: TileSet, kept: pd.Series) -> list[str]:
    """Say what acquisitions, scenes and images stand for.

    Args:
        tiles: the tiles.
        kept: numbers of those that are pretrained on.
    """
    words, cut = [], tiles.cut
    for sensor, of_sensor in cut.groupby("sensor"):
        placed = of_sensor[of_sensor["crs"].notna()]
        dates = sorted(placed["acquired"].dropna().unique())
        if of_sensor["site"].duplicated().any() and of_sensor["quarter"].isna().all() and len(dates) > 1:
            years = listed([str(date.year) for date in dates])
            words.append(
                f"{sensor}: {len(dates)} acquisitions of a place, of {years}, all from {season(dates)}, stand in for the quarters of a "
                "year. There a backbone learns to see past the change of years, not that of seasons."
            )
        if len(placed) and placed["source"].nunique() == 1:
            words.append(
                f"{sensor}: one scene of {two_digits(hectares(placed))} ha in {counted(len(placed), 'tile')}: it shows that such are read "
                "rightly."
            )
    if len(loose := sorted(cut.loc[cut["crs"].isna(), "sensor"].unique())):
        words.append(
            f"{listed(loose)}: no georeference, so no footprint and no scale. Such images take no part in spatial splits; whether two of "
            "them show the same place cannot be known."
        )
    share = cut[cut["tile"].isin(kept)]["sensor"].value_counts(normalize=True)
    if len(share) > 1:
        words.append(f"{share.iat[0]:.0%} of the tiles that are pretrained on are of {share.index[0]}: the backbone mostly sees these.")
    return words


def of_backbone(report: Report, config: PretrainConfig, sites: int) -> list[str]:
    """Say how much pretraining there was, and whether it can be told from none.

    Args:
        report: of the backbone.
        config: of the pretraining.
        sites: pretrained on.
    """
    looks = config.steps * config.batch_size
    return [
        f"{config.steps:,} steps of {config.batch_size} sites are {looks / sites:.1f} passes over {counted(sites, 'site')}, a matter of "
        "minutes: they show that every part of the training works, not what the method reaches.",
        *told_apart(report.scores),
    ]


def of_head(report: Report, samples: SamplesConfig, tiles: TileSet, parts: pd.DataFrame) -> list[str]:
    """Say what a head's figures are over.

    Args:
        report: of the head.
        samples: that it was trained and tested on.
        tiles: of the samples.
        parts: columns `tile` and `part`.
    """
    index = tiles.index.loc[parts["tile"]].assign(part=parts["part"].to_numpy())
    train, test = index[index["part"] == "train"], index[index["part"] == "test"]
    words = []
    if samples.label_set is None:
        images, classes = index.groupby(["label", "part"]).size().unstack(), index["label"].nunique()
        words.append(
            f"{classes} classes, with {spread(images['train'])} of the images of each for training and {spread(images['test'])} for test; "
            f"guessing would be right for {1 / classes:.0%}. With so few, the order of models that are close is chance."
        )
    else:
        groups = index.groupby("part")["group"].nunique()
        most = samples.acquisitions
        drawn = "" if most is None else f", of which the head is given at most {most} of a site"
        words.append(
            f"{counted(groups['train'], 'group')} of tiles to train on and {groups['test']} to test on ({len(train)} and "
            f"{counted(len(test), 'tile')}, all acquisitions{drawn}): the figures hang on which groups these are."
        )
        labels = tiles.label_sets[samples.label_set]
        words += [of_classes(labels), *of_confusion(report, [spec.name for spec in labels.classes])]
    if index["crs"].isna().all():
        words.append("The images have no georeference: the split is by image or by name, and ground that two of them share goes unseen.")
    elif index["crs"].notna().all():
        words.append(
            f"The test ground, {hectares(test):,.2f} ha, lies {apart(train, test)}. Ground that is near looks alike: farther away the "
            "figures would be lower."
        )
    if index["source"].nunique() == 1:
        bands = tiles.sensors[str(index["sensor"].iat[0])].bands
        words.append(
            f"All of it is one scene of {counted(len(bands), 'band')} ({', '.join(bands)}): nothing is shown of "
            "another day, sensor or town."
        )
    return words + told_apart(report.scores)


def of_classes(labels: LabelSet) -> str:
    """Name the classes, and the width from which on an object counts as one of them."""
    width = labels.smallest_width_m
    narrower = "" if width is None else f"; an object narrower than {width:g} m is none of them and takes the class around it"
    return f"The classes are {listed([spec.name for spec in labels.classes])}{narrower}."


def of_confusion(report: Report, classes: Sequence[str]) -> list[str]:
    """Say what the commonest class alone would reach, and which classes the test lacks."""
    truth = np.array(report.confusion).sum(axis=1)
    names, words = list(report.per_class), []
    commonest = int(truth.argmax())
    what = "windows"
    if report.task == "segmentation":
        what = f"pixels, and have a mean intersection over union of {report.of_commonest('miou'):.3f}"
    words.append(f"Always answering {names[commonest]} would be right for {report.of_commonest('oa'):.1%} of the test's {what}.")
    tested = {name for name, count in zip(names, truth, strict=True) if count}
    if missing := [name for name in classes if name not in tested]:
        words.append(f"The test holds no {listed(missing)}: nothing is known of it.")
    return words


def told_apart(scores: Sequence[Score]) -> list[str]:
    """Say by which figures the pretrained model can be told from the random backbone."""
    alike, better, worse, open_ = [], [], [], []
    for score in scores:
        for other in scores:
            same = (score.protocol, score.metric) == (other.protocol, other.metric)
            if not same or score.model != PRETRAINED or other.model != RANDOM:
                continue
            name = f"{score.protocol} {score.metric}"
            if score.low is None or score.high is None or other.low is None or other.high is None:
                open_.append(name)
            elif score.low > other.high:
                better.append(name)
            elif score.high < other.low:
                worse.append(name)
            else:
                alike.append(name)
    return [
        f"The pretrained backbone {verdict} ({listed(names)})."
        for names, verdict in (
            (better, "is better than the random one, beyond the intervals"),
            (worse, "is worse than the random one, beyond the intervals"),
            (alike, "cannot be told from the random one: the intervals overlap"),
            (open_, "is beside the random one on one test group, which gives no interval: the difference may be chance"),
        )
        if names
    ]


def season(dates: Sequence[dt.date]) -> str:
    """Return the months that dates of any year lie in."""
    months = [MONTHS[month - 1] for month in (min(date.month for date in dates), max(date.month for date in dates))]
    return months[0] if months[0] == months[1] else f"{months[0]} to {months[1]}"


def hectares(index: pd.DataFrame) -> float:
    """Return the ground that tiles show, each piece counted once."""
    ground = [polygon for polygon in footprints(index) if polygon is not None]
    return sum(abs(WGS84.geometry_area_perimeter(part)[0]) for part in shapely.get_parts(shapely.union_all(ground))) / M2_PER_HA


def apart(train: pd.DataFrame, test: pd.DataFrame) -> str:
    """Say how far the ground of the test is from that of the training."""
    first, second = (shapely.union_all(list(footprints(part))) for part in (train, test))
    line = shapely.get_coordinates(shapely.shortest_line(first, second))
    (west, south), (east, north) = line
    metres = WGS84.inv(west, south, east, north)[2]
    return "beside that of the training" if metres < 1 else f"{length(metres)} from the nearest of the training"
