"""What cannot be read or handled ends on the dead-letter topic, and the next message goes on."""

import threading

import pytest

from eartheye.contracts.messages import REJECTED, Assembly, JobRequest
from eartheye.errors import PredictorUnavailable, RequestRejected
from tests.waiting import LIMIT_S, wait_until


def ask(number):
    return Assembly(job=f"job-{number}", plan="p")


HOSTILE = {
    "no JSON": (b"\x00\xff hello", "not JSON"),
    "truncated": (b'{"kind":"assembly/1","jo', "not JSON"),
    "nested deeply": (b"[" * 100_000, "not JSON"),
    "a list": (b"[1, 2]", "not a JSON object"),
    "kind is no text": (b'{"kind":{"a":1}}', "not a JSON object with a field 'kind'"),
    "another kind": (b'{"kind":"format-the-disk/1"}', "unknown kind 'format-the-disk'"),
    "newer schema": (b'{"kind":"assembly/2","job":"a"}', "schema assembly/2 is newer than assembly/1: upgrade this service"),
    "version of many digits": (b'{"kind":"assembly/' + b"9" * 10_000 + b'","job":"a","plan":"p"}', "assembly: kind"),
    "unknown field": (b'{"kind":"assembly/1","job":"a","plan":"p","shell":"rm"}', "shell: Extra inputs are not permitted"),
    "field missing": (b'{"kind":"assembly/1","job":"a"}', "plan: Field required"),
    "oversized": (b'{"kind":"assembly/1","job":"a","plan":"' + b"x" * 400_000 + b'"}', "more than 262,144"),
    "empty": (b"", "empty"),
    "tombstone": (None, "empty"),
}


def test_what_cannot_be_read_is_recorded_with_reason_and_place(topic, consuming, send_raw, rejected):
    seen = []
    for value, _ in HOSTILE.values():
        send_raw(topic, value, b"\xff\x00same")
    send_raw(topic, ask(5).model_dump_json().encode(), b"\xff\x00same")
    with consuming(topic, seen.append):
        wait_until(lambda: seen)
    letters = rejected(topic, len(HOSTILE))
    assert seen == [ask(5)]
    assert [letter.offset for letter in letters] == list(range(len(HOSTILE)))
    for letter, (name, (value, reason)) in zip(letters, HOSTILE.items(), strict=True):
        assert reason in letter.reason, name
        assert letter.payload_bytes == len(value or b""), name
        assert letter.payload == (value or b"")[:4096].decode(errors="backslashreplace"), name
        assert (letter.attempts, letter.group) == (0, topic), name


def test_a_handler_that_fails_for_a_while_is_tried_again(bus, topic, consuming):
    tries = []

    def handle(message):
        tries.append(message)
        if len(tries) < 3:
            raise OSError("the store is away")

    bus.publish(topic, "a", ask(1))
    with consuming(topic, handle):
        wait_until(lambda: len(tries) == 3)
    assert tries == [ask(1)] * 3


def test_an_outage_is_waited_for_longer_than_a_failure(bus, topic, consuming, rejected):
    tries = []

    def handle(message):
        tries.append(message)
        if len(tries) < 8:
            raise PredictorUnavailable("the model is not there yet")

    bus.publish(topic, "a", ask(1))
    bus.publish(topic, "a", ask(2))
    with consuming(topic, handle):
        wait_until(lambda: len(tries) == 9)
    assert tries == [ask(1)] * 8 + [ask(2)]
    assert rejected(topic, 0) == []


def test_a_message_that_keeps_failing_is_given_up_and_the_next_goes_on(bus, topic, consuming, rejected):
    seen = []

    def handle(message):
        if message == ask(1):
            raise OSError("the store is away")
        seen.append(message)

    bus.publish(topic, "a", ask(1))
    bus.publish(topic, "a", ask(2))
    with consuming(topic, handle):
        wait_until(lambda: seen)
    (letter,) = rejected(topic, 1)
    assert letter.reason == "failed 3 times; last: OSError: the store is away"
    assert (letter.attempts, letter.offset) == (3, 0)
    assert Assembly.model_validate_json(letter.payload) == ask(1)


def test_a_refused_request_is_not_tried_again(bus, topic, consuming, rejected):
    tries = []

    def refuse(message):
        tries.append(message)
        raise RequestRejected("outside the allowed roots")

    bus.publish(topic, "a", ask(1))
    with consuming(topic, refuse):
        (letter,) = rejected(topic, 1)
    assert (letter.reason, letter.attempts, tries) == ("outside the allowed roots", 1, [ask(1)])


def test_what_ends_the_worker_ends_the_consumer_and_the_message_stays(bus, topic, consuming):
    reached = threading.Event()

    def leave(_):
        reached.set()
        raise SystemExit(3)

    bus.publish(topic, "a", ask(1))
    with pytest.raises(SystemExit), consuming(topic, leave):
        reached.wait(LIMIT_S)
    seen = []
    with consuming(topic, seen.append):
        wait_until(lambda: seen)
    assert seen == [ask(1)]


def test_a_dead_letter_that_cannot_be_read_does_not_breed(bus, consuming, send_raw, rejected):
    send_raw(REJECTED, b"junk")
    for number in range(8):
        bus.publish(REJECTED, str(number), ask(number))
    seen = []
    with consuming(REJECTED, seen.append, group="reads-dead-letters"):
        wait_until(lambda: len(seen) == 8)
    assert rejected(REJECTED, 0) == []


def test_a_message_too_large_for_the_bus_is_refused_by_its_sender(bus, topic):
    with pytest.raises(RequestRejected, match="send its URI"):
        bus.publish(topic, "a", Assembly(job="a", plan="x" * 300_000))


def test_hostile_names_do_not_pass_the_contract():
    with pytest.raises(ValueError, match="pattern"):
        JobRequest(job="../../etc", scene="a.tif", model="m", output="o")
