"""Random frames by the hundred thousand through the Verilated encoder, against the reference: the nightly campaign.

Every width with every E and interleave, fill and basis by chance, and LDPC C2 and the convolutional code; in each,
batches with settings and stalls by chance, one after the other on a running device. Frames of a wrong length are among
them.
"""

import itertools

import numpy as np
import pytest

from hdl.registers import RANDOMIZERS, RATES, Register
from hdl.tb.reference import Reference, Settings
from hdl.verilated import EncoderModel, Stalls

FRAMES = 2000
BATCH = 50


def _parameter_sets() -> list[dict[str, int]]:
    rng = np.random.default_rng(1)
    sets: list[dict[str, int]] = []
    for width, e, interleave in itertools.product((8, 16, 32, 64), (16, 8), (1, 2, 3, 4, 5, 8)):
        turns = int(rng.choice([0, 1, rng.integers(2, 255 - 2 * e - 3)]))
        sets.append(
            {
                "DATA_WIDTH": width,
                "E": e,
                "INTERLEAVE": interleave,
                "FILL": turns * interleave,
                "DUAL_BASIS": int(rng.integers(2)),
            }
        )
    sets += [{"DATA_WIDTH": width, "CODE": 1} for width in (8, 16, 32, 64)]
    sets += [{"DATA_WIDTH": 8, "CONVOLUTIONAL": 1, "CODE": code} for code in (0, 1)]
    return sets


def _name(parameters: dict[str, int]) -> str:
    return "-".join(f"{name.lower()}{value}" for name, value in parameters.items())


def _settings(rng: np.random.Generator, parameters: dict[str, int]) -> Settings:
    rate = rng.choice(list(RATES)) if parameters.get("CONVOLUTIONAL") else "none"
    crc, code, marker = (bool(bit) for bit in rng.random(3) < (0.7, 0.9, 0.8))
    return Settings(crc, code, str(rng.choice(list(RANDOMIZERS))), marker, str(rate))


def _stalls(rng: np.random.Generator) -> Stalls:
    return Stalls(float(rng.choice([0.0, 0.0, 0.1, 0.5, 0.9])), int(rng.integers(2**32)))


def _batches(rng: np.random.Generator, right: int) -> list[tuple[int, int]]:
    """How many frames of what length: a batch of the right one, and sometimes one of a wrong one in front of it."""
    batches = [(BATCH, right)]
    if rng.random() < 0.25:
        batches.insert(0, (1, int(rng.integers(1, 2 * right))))
    return batches


def test_there_are_enough_frames():
    assert len(_parameter_sets()) * FRAMES >= 100_000


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(_parameter_sets())), ids=[_name(p) for p in _parameter_sets()])
def test_random_frames(number, capsys):
    parameters = _parameter_sets()[number]
    rng = np.random.default_rng([2, number])
    model, reference = EncoderModel(parameters), Reference(parameters)
    count = wrong = octets = 0
    begin = model.cycles
    while count < FRAMES:
        settings = _settings(rng, parameters)
        model.write(Register.CONTROL, settings.word)
        batches = _batches(rng, reference.length(settings))
        sent = [rng.integers(0, 256, batch, dtype=np.uint8) for batch in batches]
        lengths = np.repeat([length for _, length in batches], [n for n, _ in batches])
        passed = model.encode(
            np.concatenate([frames.reshape(-1) for frames in sent]),
            lengths,
            idle=_stalls(rng),
            back_pressure=_stalls(rng),
        )
        expected = np.concatenate([reference.line(frames, settings) for frames in sent])
        assert len(passed.octets) == len(expected), settings
        differ = np.flatnonzero(passed.octets != expected)
        assert len(differ) == 0, f"{settings}, frames of {lengths[0]} octets: octet {differ[0]} of {len(expected)}"
        count += len(lengths)
        octets += len(expected)
        if settings.crc or settings.code:
            wrong += int((lengths != reference.length(settings)).sum())
    assert model.read(Register.FRAMES_IN) == model.read(Register.FRAMES_OUT) == count
    assert model.read(Register.LENGTH_ERRORS) == wrong
    with capsys.disabled():
        print(f"\n{count} frames ({wrong} of a wrong length), {octets} octets, {model.cycles - begin} cycles")
