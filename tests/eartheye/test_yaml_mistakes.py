"""A YAML file that is none is told in one line, with the place."""

import pytest

from eartheye.contracts import read_catalogue
from eartheye.errors import InvalidCatalogue, InvalidConfig
from pipelines.config import read_chain


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"title: x\nscenes:\n  - path: a\n b: 1\n", "correct line 4, column 2 (expected <block end>, but found '<block mapping start>')"),
        (b"title: x\n\tlicence: y\n", "correct line 2, column 1 (found character '\\t' that cannot start any token)"),
        (b"title: *nobody\n", "correct line 1, column 8 (found undefined alias 'nobody')"),
        (b"title: \xff\n", "'utf-8' codec can't decode byte 0xff in position 7: invalid start byte"),
        (b"title: \0\n", 'unacceptable character #x0000: special characters are not allowed in "<unicode string>", position 7'),
    ],
)
def test_the_place_and_the_reason_are_told_in_one_line(data, told, tmp_path):
    path = tmp_path / "catalogue.yaml"
    path.write_bytes(data)
    with pytest.raises(InvalidCatalogue) as caught:
        read_catalogue(path)
    assert str(caught.value) == f"{path} is not YAML: {told}"


def test_a_folder_in_the_place_of_the_file_is_told(tmp_path):
    with pytest.raises(InvalidCatalogue, match="is missing, or no file: describe the data folder there"):
        read_catalogue(tmp_path)
    with pytest.raises(InvalidConfig, match=r"cannot be read \(Is a directory\): give a file of YAML"):
        read_chain(tmp_path)
