"""Which tiles a network may take."""

import pytest

from eartheye.contracts import ImageSpec, Sensor
from eartheye.errors import WrongBands, WrongScale
from models.package import check_sensor

RGB = ImageSpec(bands=("red", "green", "blue"), dtype="uint8", mean=(0,) * 3, std=(1,) * 3, gsd_m=1.0, gsd_range_m=(0.5, 2.0))


def sensor(*channels, gsd_m=1.0):
    bands = tuple(dict.fromkeys(channels))
    return Sensor(name="s", bands=bands, channels=channels, dtype="uint8", mean=(0,) * len(bands), std=(1,) * len(bands), gsd_m=gsd_m)


@pytest.mark.parametrize("channels", [("red", "green", "blue"), ("pan", "pan", "pan")])
def test_the_same_bands_or_one_for_all_are_taken(channels):
    check_sensor(sensor(*channels), RGB)


@pytest.mark.parametrize("channels", [("blue", "green", "red"), ("nir", "red", "green"), ("red", "green"), ("pan", "pan")])
def test_other_bands_are_refused(channels):
    with pytest.raises(WrongBands, match="set `channels`"):
        check_sensor(sensor(*channels), RGB)


@pytest.mark.parametrize(("gsd_m", "taken"), [(0.5, True), (2.0, True), (2.0001, True), (None, True), (0.4, False), (2.2, False)])
def test_a_scale_outside_the_training_s_is_refused_and_an_unknown_one_not_asked(gsd_m, taken):
    if taken:
        check_sensor(sensor("red", "green", "blue", gsd_m=gsd_m), RGB)
    else:
        with pytest.raises(WrongScale, match=r"0\.5 to 2 m"):
            check_sensor(sensor("red", "green", "blue", gsd_m=gsd_m), RGB)
