"""Progress where there is no terminal: a line at a time."""

from importlib import import_module

from eartheye.telemetry import progress_of


def test_a_long_note_stays_on_its_line_in_a_log(capsys, monkeypatch):
    monkeypatch.setattr(import_module("eartheye.telemetry.progress"), "LINE_EVERY_S", 0.0)
    note = " ".join(["loss 1.2345"] * 20)
    with progress_of("pretraining", 7) as advance:
        advance(2, note)
    assert capsys.readouterr().err == f"pretraining: 2 of 7 {note}\n"
