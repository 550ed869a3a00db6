"""Asks the service of this container whether it lives: `python3 -m services.probe PORT...`, exit status 0 where one of them says so.

It stands on the standard library alone, for a container asks it every few seconds.
"""

import sys
import urllib.error
import urllib.request

LIMIT_S = 4.0
LIMIT_BYTES = 2000
"""Of a reason that is printed."""


def lives(port: str) -> bool:
    """Say whether the service at a port of this machine answers that it lives."""
    directly = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # whatever proxy the environment names
    try:
        with directly.open(f"http://127.0.0.1:{port}/v1/health/live", timeout=LIMIT_S):
            return True
    except urllib.error.HTTPError as answer:
        with answer:
            print(f"port {port}: {answer}: {answer.read(LIMIT_BYTES).decode(errors='replace').strip()}", file=sys.stderr)
        return False
    except (urllib.error.URLError, OSError) as error:
        print(f"port {port}: {error}", file=sys.stderr)
        return False


if __name__ == "__main__":
    sys.exit(not any(map(lives, sys.argv[1:])))
