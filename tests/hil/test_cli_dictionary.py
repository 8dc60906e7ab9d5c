"""`beamlock dictionary`, and its page in the docs."""

from pathlib import Path

from flightsw.services.dictionary import COMMANDS
from hil.cli import main
from hil.dictionary_reference import markdown


def test_the_page_in_the_docs_is_what_the_declarations_say():
    page = Path(__file__).parents[2] / "docs" / "dictionary.md"
    assert page.read_text() == markdown(), "run: beamlock dictionary --markdown docs/dictionary.md"


def test_a_page_is_written_where_it_is_asked_for(tmp_path, capsys):
    path = tmp_path / "page.md"
    assert main(["dictionary", "--markdown", str(path)]) == 0
    assert capsys.readouterr().out == f"{path}\n"
    text = path.read_text()
    assert "| `pointing_bias_x` | f4 | >= -0.001, <= 0.001 rad |" in text
    assert "### `ACQUIRE`: TC(8,1)\n\nSearch for the partner and track it. Allowed in STANDBY.\n" in text


def test_names_of_commands_stand_one_a_line(capsys):
    assert main(["dictionary", "--commands"]) == 0
    names = capsys.readouterr().out.split("\n")
    assert names[-1] == "" and names[:-1] == sorted(COMMANDS) and "SET_TONE_LEARNING" in names


def test_a_file_that_cannot_be_written_is_told(tmp_path, capsys):
    assert main(["dictionary", "--xtce", str(tmp_path)]) == 2
    assert "expected a file that can be written, found: Is a directory" in capsys.readouterr().err
