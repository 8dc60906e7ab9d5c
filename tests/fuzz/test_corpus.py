"""The inputs that fuzzing found worth keeping raise nothing but the errors of their targets."""

import importlib.util
from pathlib import Path

import pytest

_HERE = Path(__file__).parent
_SPEC = importlib.util.spec_from_file_location("fuzz_targets", _HERE / "targets.py")
assert _SPEC is not None and _SPEC.loader is not None
targets = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(targets)
CORPUS = sorted((_HERE / "corpus").iterdir())


def test_there_is_a_corpus_and_it_reaches_every_target():
    assert {path.read_bytes()[0] for path in CORPUS} == set(range(len(targets.TARGETS)))


@pytest.mark.parametrize("part", range(8))
def test_the_corpus_raises_nothing_unexpected(part):
    for path in CORPUS[part::8]:
        targets.one(path.read_bytes())
