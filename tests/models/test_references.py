"""References between packages."""

import pytest

from eartheye.store import Folder
from models.references import refer, resolve


@pytest.mark.parametrize(
    ("backbone", "model", "uri"),
    [
        ("/runs/demo/backbone", "/runs/demo/heads/cover/model", "../../../backbone"),
        ("s3://bucket/demo/backbone", "s3://bucket/demo/heads/model", "../../backbone"),
        ("s3://other/backbone", "s3://bucket/demo/model", "s3://other/backbone"),
        ("/runs/backbone", "s3://bucket/demo/model", "/runs/backbone"),
    ],
)
def test_a_backbone_in_the_same_store_is_named_by_a_relative_path(backbone, model, uri):
    assert refer(Folder(backbone), Folder(model)) == uri
    assert resolve(uri, Folder(model)) == backbone


def test_folders_that_move_together_find_each_other():
    uri = refer(Folder("/a/backbone"), Folder("/a/heads/model"))
    assert resolve(uri, Folder("/b/c/heads/model")) == "/b/c/backbone"
