"""Speed of the coders on one core, beside `galois` and `reedsolo` where they do the same."""

import time
from collections.abc import Callable, Iterator

import numpy as np

from flightsw.ccsds.coding.convolutional import ConvolutionalCode
from flightsw.ccsds.coding.ldpc_c2 import LdpcC2
from flightsw.ccsds.coding.randomizer import Randomizer
from flightsw.ccsds.coding.reed_solomon import ReedSolomon
from flightsw.ccsds.coding.synchronizer import cadu
from flightsw.errors import ConfigError
from hil.benchmark import Figure

_REPEATS = 5
_CODEBLOCKS = 2000


def figures() -> Iterator[Figure]:
    """Measure one figure after the other, and yield each when it is there."""
    rng = np.random.default_rng(1)
    yield from _encoding(rng)
    yield from _decoding(rng)
    yield from _soft_decoding(rng)


def _seconds(work: Callable[[], object], repeats: int = _REPEATS) -> float:
    """Least time of several; the first call, which compiles, does not count."""
    work()
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return min(times)


def _encoding(rng: np.random.Generator) -> Iterator[Figure]:
    code, randomizer = ReedSolomon(16, 5), Randomizer("131071")
    data = rng.integers(0, 256, (_CODEBLOCKS, code.k), dtype=np.uint8)

    def chain() -> np.ndarray:
        return cadu(randomizer.apply(code.encode(data)), bytes.fromhex("1ACFFC1D"))

    copied = _seconds(lambda: data.copy())
    taken = _seconds(chain)
    rate = chain().size * 8 / taken / 1e9
    yield Figure(
        "encode, RS(255,223) I=5, randomizer, sync marker",
        f"{rate:.2f} Gb/s of channel bits",
        ">= 2.5 Gb/s",
        rate >= 2.5,
        f"a copy of the information in memory, {data.size * 8 / copied / 1e9:.0f} Gb/s",
        copied / taken,
    )
    single = ReedSolomon(16, 1, basis="conventional")
    words = data[:, :223].copy()
    ours = words.size / _seconds(lambda: single.encode(words))
    try:
        import galois
        from reedsolo import RSCodec
    except ImportError as missing:
        raise ConfigError(
            f"benchmark: expected the package {missing.name}, found none; pip install 'beamlock[test]'"
        ) from None
    peer = galois.ReedSolomon(
        255,
        223,
        field=galois.GF(2**8, irreducible_poly="x^8 + x^7 + x^2 + x + 1", primitive_element=173, verify=False),
        alpha=173,
        c=112,
    )
    theirs = words.size / _seconds(lambda: peer.encode(words), 2)
    yield Figure(
        "encode, RS(255,223) alone, against galois",
        f"{ours / 1e6:.0f} MB/s",
        ">= 15 x galois",
        ours >= 15.0 * theirs,
        f"galois, {theirs / 1e6:.1f} MB/s",
        ours / theirs,
    )
    plain = RSCodec(32, nsize=255, fcr=112, prim=0x187, generator=0xAD)
    few = [row.tobytes() for row in words[:20]]
    slow = 20 * 223 / _seconds(lambda: [plain.encode(row) for row in few], 2)
    yield Figure(
        "encode, RS(255,223) alone, against reedsolo",
        f"{ours / 1e6:.0f} MB/s",
        ">= 500 x reedsolo",
        ours >= 500.0 * slow,
        f"reedsolo, {slow / 1e6:.3f} MB/s",
        ours / slow,
    )


def _decoding(rng: np.random.Generator) -> Iterator[Figure]:
    code = ReedSolomon(16, 5)
    sent = code.encode(rng.integers(0, 256, (_CODEBLOCKS, code.k), dtype=np.uint8))
    octets = _CODEBLOCKS * code.k
    clean = octets / _seconds(lambda: code.decode(sent)) / 1e6
    wrong = sent.reshape(_CODEBLOCKS, 255, 5).copy()
    for word in range(5):
        for row in range(_CODEBLOCKS):
            wrong[row, rng.choice(255, 8, replace=False), word] ^= np.uint8(1 + rng.integers(255))
    received = wrong.reshape(sent.shape)
    eight = octets / _seconds(lambda: code.decode(received)) / 1e6
    copied = octets / _seconds(lambda: sent.copy()) / 1e6
    yield Figure(
        "decode, RS(255,223) I=5 without errors",
        f"{clean:.0f} MB/s",
        ">= 300 MB/s",
        clean >= 300.0,
        f"a copy in memory, {copied:.0f} MB/s",
        clean / copied,
    )
    yield Figure(
        "decode, RS(255,223) I=5, 8 errors in each codeword",
        f"{eight:.0f} MB/s",
        ">= 60 MB/s",
        eight >= 60.0,
        f"the same without errors, {clean:.0f} MB/s",
        eight / clean,
    )


def _soft_decoding(rng: np.random.Generator) -> Iterator[Figure]:
    code = ConvolutionalCode("1/2")
    data = rng.integers(0, 256, (1, 250_000), dtype=np.uint8)
    noise = rng.standard_normal(2 * data.size * 8 + 16).astype(np.float32)

    def soft(octets: np.ndarray, sigma: float) -> np.ndarray:
        bits = np.unpackbits(octets, axis=1)
        level = (1.0 - 2.0 * bits) + sigma * np.resize(noise, bits.shape)
        return (2.0 / sigma**2 * level).astype(np.float32)

    # Eb/N0 of 4.4 dB at rate 1/2
    llr = soft(code.encode(data), (2.0 * 0.5 * 10.0**0.44) ** -0.5)
    viterbi = data.size * 8 / _seconds(lambda: code.decode_soft(llr), 3) / 1e6
    encoded = data.size * 8 / _seconds(lambda: code.encode(data), 3) / 1e6
    yield Figure(
        "Viterbi, rate 1/2, soft, at 4.4 dB",
        f"{viterbi:.0f} Mb/s",
        ">= 20 Mb/s",
        viterbi >= 20.0,
        f"its encoder, {encoded:.0f} Mb/s",
        viterbi / encoded,
    )
    ldpc = LdpcC2()
    blocks = rng.integers(0, 256, (200, ldpc.k), dtype=np.uint8)
    # Eb/N0 of 4.2 dB at rate 7/8
    received = soft(ldpc.encode(blocks), (2.0 * 7136 / 8160 * 10.0**0.42) ** -0.5)
    c2 = blocks.size * 8 / _seconds(lambda: ldpc.decode(received), 3) / 1e6
    first = blocks.size * 8 / _seconds(lambda: ldpc.encode(blocks), 3) / 1e6
    yield Figure(
        "LDPC C2, min-sum, at 4.2 dB",
        f"{c2:.0f} Mb/s",
        ">= 10 Mb/s",
        c2 >= 10.0,
        f"its encoder, {first:.0f} Mb/s",
        c2 / first,
    )
