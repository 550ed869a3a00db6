"""What a process tells on standard error: its own events, those of other libraries, and nothing twice in a moment."""

import json
import logging
import os
import subprocess
import sys

import pytest
import structlog

from eartheye.errors import PredictorUnavailable
from eartheye.telemetry.logs import KafkaOnceInAWhile, OnceInAWhile, escape_what_a_console_obeys, tell_user_errors_in_one_line
from eartheye.telemetry.repetition import REMEMBERED, Repetition

TROUBLE = """
import logging
from eartheye.bus import open_bus
from eartheye.errors import BusUnavailable, PredictorUnavailable
from eartheye.telemetry import configure_logs, get_logger

configure_logs()
log, secret = get_logger("worker"), "hunter2"
for attempt in range(3):
    try:
        raise PredictorUnavailable("Triton is away: start it")
    except PredictorUnavailable:
        log.error("a message was not handled", attempt=attempt, exc_info=True)
for source in (log, logging.getLogger("another")):
    try:
        len(secret) / 0
    except ZeroDivisionError:
        source.exception("a fault")
try:
    with open_bus() as bus:
        bus.ensure_topics(["topic"])
except BusUnavailable:
    log.info("the end")
"""


def said(log_format):
    variables = {"EARTHEYE_LOG_FORMAT": log_format, "EARTHEYE_KAFKA_BOOTSTRAP": "127.0.0.1:9", "EARTHEYE_KAFKA_TIMEOUT_S": "2"}
    run = subprocess.run([sys.executable, "-c", TROUBLE], env=os.environ | variables, capture_output=True, text=True, check=True)
    return run.stderr


def test_as_json_every_line_is_json_those_of_other_libraries_too():
    lines = [json.loads(line) for line in said("json").splitlines()]
    assert {line["source"].partition(".")[0] for line in lines} == {"worker", "another", "kafka"}
    assert all({"event", "level", "timestamp"} <= line.keys() for line in lines)
    assert lines[-1]["event"] == "the end"
    assert all("hunter2" not in str(line) for line in lines)


def test_user_errors_are_told_in_a_line_and_faults_with_their_traceback_but_no_values():
    lines = said("console").splitlines()
    assert [line.split("] ")[1] for line in lines[:3]] == [
        f"a message was not handled attempt={attempt} reason='Triton is away: start it' source=worker" for attempt in range(3)
    ]  # fmt: skip
    assert sum(line.startswith("Traceback") for line in lines) == sum(line == "ZeroDivisionError: division by zero" for line in lines) == 2
    assert all("hunter2" not in line and "╭" not in line for line in lines)


OBEYED = """
import logging
from eartheye.telemetry import configure_logs, get_logger

configure_logs()
log = get_logger("worker")
hostile = "\\x1b]0;owned\\x07\\x1b[2J\\x00\\x9b\\u202e"
log.info(hostile + "\\nevent", path="/v1/jobs/" + hostile, reason="two\\nlines " + hostile)
for source in (log, logging.getLogger("another")):
    try:
        raise ValueError(hostile)
    except ValueError:
        source.exception(hostile)
"""


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_a_terminal_obeys_nothing_that_a_request_put_into_a_line(log_format):
    run = subprocess.run(
        [sys.executable, "-c", OBEYED], env=os.environ | {"EARTHEYE_LOG_FORMAT": log_format}, capture_output=True, check=True
    )
    text = run.stderr.decode()
    assert [each for each in text if not each.isprintable() and each != "\n"] == []
    assert text.count("owned") == 7


def test_a_console_shows_control_characters_as_python_writes_them():
    told = {"event": "a\nb\x07", "path": "/\x1b[2J", "reason": "one\ntwo", "exception": "Traceback\n\tValueError: \x00", "attempt": 3}
    assert escape_what_a_console_obeys(None, "info", told) == {
        "event": r"a\nb\x07",
        "path": r"/\x1b[2J",
        "reason": "one\ntwo",
        "exception": "Traceback\n\tValueError: \\x00",
        "attempt": 3,
    }


def test_a_refused_connection_is_told_once_and_not_each_time_it_is_tried():
    events = [line["event"] for line in map(json.loads, said("json").splitlines()) if line["source"].startswith("kafka")]
    assert sum("ECONNREFUSED" in event for event in events) == 2  # once by the connection, once by what keeps the connections


def test_lines_of_kafka_that_differ_in_numbers_alone_are_the_same():
    kafka = KafkaOnceInAWhile()
    lines = [logging.LogRecord("kafka.net", logging.ERROR, "", 1, "connection %d is lost", (number,), None) for number in range(3)]
    another = logging.LogRecord("kafka.net", logging.ERROR, "", 1, "refused the password", (), None)
    ours = logging.LogRecord("mlflow", logging.ERROR, "", 1, "connection %d is lost", (1,), None)
    assert [kafka.filter(line) for line in (*lines, another, ours, ours)] == [True, False, False, True, True, True]


def test_the_same_warning_is_left_out_for_a_while_whichever_attempt_it_is():
    once = OnceInAWhile()
    told = {"event": "waits", "offset": 3, "reason": "away", "attempt": 1}
    assert once(None, "warning", told) == told
    with pytest.raises(structlog.DropEvent):
        once(None, "warning", told | {"attempt": 2})
    for method, other in (("warning", {"offset": 4}), ("warning", {"exc_info": True}), ("error", {}), ("info", {})):
        assert once(None, method, told | other) == told | other


def test_what_lasts_is_told_again_after_a_while_with_how_often_it_was_left_out():
    now_s = [0.0]
    repetition = Repetition(60, clock=lambda: now_s[0])
    heard = []
    for now_s[0] in (0.0, 1.0, 59.0, 61.0, 62.0, 130.0):
        heard.append(repetition.left_out("away"))
    assert heard == [0, None, None, 2, None, 1]


def test_only_so_many_kinds_are_kept_in_mind():
    repetition = Repetition(clock=lambda: 0.0)
    for number in range(REMEMBERED + 1):
        assert repetition.left_out(number) == 0
    assert repetition.left_out(REMEMBERED) is None
    assert repetition.left_out(0) == 0


@pytest.mark.parametrize("given", ["true", "error", "tuple"])
def test_however_an_error_is_handed_over_it_is_known(given):
    try:
        raise PredictorUnavailable("away")
    except PredictorUnavailable as error:
        handed = {"true": True, "error": error, "tuple": (type(error), error, error.__traceback__)}[given]
        event = tell_user_errors_in_one_line(None, "warning", {"event": "no", "exc_info": handed})
    assert event == {"event": "no", "reason": "away"}
