"""The committed description is the one of the code."""

import json
from pathlib import Path

from services.admin.app import describe
from services.admin.roles import ACCESS

COMMITTED = Path(__file__).parents[3] / "docs" / "openapi.json"


def test_the_committed_description_is_the_one_of_the_code():
    assert COMMITTED.read_text() == describe(), "run: python -m services.admin.openapi docs/openapi.json"


def test_each_operation_names_its_role_and_answers_with_problems():
    for path, operations in json.loads(describe())["paths"].items():
        for method, operation in operations.items():
            needed = ACCESS[f"{method.upper()} {path}"]
            assert operation.get("x-role") == (needed and needed.value)
            assert ("security" in operation) == (needed is not None)
            assert "application/problem+json" in operation["responses"]["default"]["content"]
            assert operation["summary"]
            assert operation["tags"]
