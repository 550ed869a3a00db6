"""A worker in a process of its own, slowed down so that it can be caught at work."""

import os
import subprocess
import sys
from collections.abc import Mapping

SLOW_WORKER = """
import threading, time
from eartheye.predictor import open_predictor
from eartheye.settings import load
from services.inference.service import run_worker

def open_slow(*arguments):
    predict = open_predictor(*arguments)
    def slowly(images):
        time.sleep(0.1)
        return predict(images)
    return slowly

run_worker(load(), threading.Event(), open_slow)
"""


def start_slow_worker(settings: Mapping[str, str] = {}) -> subprocess.Popen[bytes]:
    """Start a worker with the settings of the environment.

    Args:
        settings: further variables.
    """
    return subprocess.Popen([sys.executable, "-c", SLOW_WORKER], env={**os.environ, **settings, "PYTHONPATH": "."})
