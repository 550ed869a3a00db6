"""How things are called to who asked for a map."""

from services.inference.names import renamed

NAMES = {"/data/scene": "s3://imagery/scene", "/data/scene.tif": "the mosaic"}


def test_each_path_gets_its_name_the_longer_one_first():
    assert renamed("/data/scene.tif is not /data/scene/b4.tif", NAMES) == "the mosaic is not s3://imagery/scene/b4.tif"


def test_a_path_that_only_begins_alike_stays():
    assert renamed("/data/scenes is not there", NAMES) == "/data/scenes is not there"


def test_without_names_the_words_stay():
    assert renamed("/data/scene is not there", {}) == "/data/scene is not there"
