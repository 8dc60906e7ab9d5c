"""`beamlock hdl`: what it lists, and what it says to those who ask for what is not there."""

import pytest

from hil.cli import EXIT_BAD_INPUT, main


def test_list_names_modules_with_parameters_and_bench(capsys):
    assert main(["hdl", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("ccsds_rs_encoder "))
    assert "Reed-Solomon encoder of CCSDS 131.0-B-5" in lines[at]
    assert "INTERLEAVE = 1" in lines[at + 1]
    assert lines[at + 1].endswith("; bench")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["lint", "ccsds_nothing"], "ccsds_nothing"),
        (["test", "ccsds_nothing"], "ccsds_nothing"),
        (["synth", "chain-7"], "expected one of chain-64-rs223-i8-ecp5, "),
        (["build", "--board", "breadboard"], "expected one of icebreaker, ulx3s; found 'breadboard'"),
        (["program", "--board", "breadboard"], "expected one of icebreaker, ulx3s; found 'breadboard'"),
    ],
)
def test_what_is_unknown_is_said_in_one_line(words, expected, capsys):
    assert main(["hdl", *words]) == EXIT_BAD_INPUT
    error = capsys.readouterr().err
    assert expected in error
    assert error.count("\n") == 1


def test_waves_without_a_run_say_how_to_make_them(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert main(["hdl", "waves", "ccsds_crc16"]) == EXIT_BAD_INPUT
    assert "beamlock hdl test ccsds_crc16 --waves" in capsys.readouterr().err
