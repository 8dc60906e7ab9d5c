"""`beamlock keys`: what it does, and that no key is ever printed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flightsw.errors import ConfigError
from hil.cli import main
from hil.cli.keys import parse_ids


def test_the_life_of_keys_without_a_key_on_the_screen(tmp_path, capsys):
    store = str(tmp_path / "store")
    assert main(["keys", "generate", store, "--ids", "1-3,40"]) == 0
    assert main(["keys", "activate", store, "1-2"]) == 0
    assert main(["keys", "deactivate", store, "2"]) == 0
    assert main(["keys", "list", store]) == 0
    out = capsys.readouterr().out
    assert out.splitlines() == [
        f"{store}: 4 keys generated",
        f"{store}: 2 keys activated",
        f"{store}: 1 key deactivated",
        "    1  active",
        "    2  deactivated",
        "    3  pre-activation",
        "   40  pre-activation",
    ]
    rows = json.loads((tmp_path / "store").read_bytes().partition(b"\n")[2])
    assert not any(octets in out for _, octets in rows.values())


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["activate", "store", "2"], "expected key 2 in state pre-activation, found deactivated"),
        (["deactivate", "store", "1"], "expected key 1 in state active, found pre-activation"),
        (["activate", "store", "9"], "expected a key of 1-3, found 9"),
        (["activate", "store", "one"], "as in 1-3,7; found 'one'"),
        (["generate", "store"], "expected no file, found one"),
        (["list", "none"], "expected a file of beamlock's, found none"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path, capsys, monkeypatch, arguments, what):
    monkeypatch.chdir(tmp_path)
    assert main(["keys", "generate", "store", "--ids", "1-3"]) == 0
    assert main(["keys", "activate", "store", "2"]) == 0
    assert main(["keys", "deactivate", "store", "2"]) == 0
    capsys.readouterr()
    assert main(["keys", *arguments]) == 2
    error = capsys.readouterr().err
    assert what in error
    assert error.count("\n") == 1


@given(st.sets(st.integers(0, 65535), min_size=1, max_size=30))
def test_ids_are_read_as_written(ids):
    assert parse_ids(",".join(str(each) for each in ids)) == sorted(ids)
    assert parse_ids(f"{min(ids)}-{max(ids)}") == list(range(min(ids), max(ids) + 1))


@given(st.text(st.sampled_from("0123456789,-² x"), max_size=12))
def test_ids_are_within_bounds_or_refused(text):
    try:
        ids = parse_ids(text)
    except ConfigError:
        return
    assert ids
    assert 0 <= ids[0] <= ids[-1] <= 65535
