"""Writes the API's description: `python -m services.admin.openapi docs/openapi.json`."""

import sys
from pathlib import Path

from services.admin.app import describe

if __name__ == "__main__":
    Path(sys.argv[1]).write_text(describe())
