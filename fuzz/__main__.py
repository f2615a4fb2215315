"""`scripts/fuzz`: throw random and damaged bytes at every decoder, in all cores, and print what was found."""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed

from fuzz.targets import TARGETS

CHUNK = 50_000
LONGEST = 64


def damage(seed: bytes, rng: random.Random) -> bytes:
    """A good input with something wrong: cut, longer, flipped bits, a foreign byte, a repeated part."""
    data = bytearray(seed)
    at = rng.randrange(len(data))
    match rng.randrange(6):
        case 0:
            del data[at:]
        case 1:
            data += rng.randbytes(rng.randrange(1, 20))
        case 2:
            data[at] ^= 1 << rng.randrange(8)
        case 3:
            data[at] = rng.choice((0x00, 0x01, 0x7F, 0x80, 0xFF))
        case 4:
            data[at:at] = data[at : at + rng.randrange(1, 8)]
        case _:
            data[at : at + 4] = rng.randbytes(4)
    return bytes(data)


def inputs(seeds: list[bytes], rng: random.Random, count: int) -> Iterator[bytes]:
    for _ in range(count):
        if seeds and rng.random() < 0.7:
            data = damage(rng.choice(seeds), rng)
            yield damage(data, rng) if data and rng.random() < 0.5 else data
        elif rng.random() < 0.02:
            yield rng.choice((b"\x00", b"\xff")) * rng.randrange(LONGEST)
        else:
            yield rng.randbytes(rng.randrange(LONGEST))


def fire(name: str, seed: str, count: int) -> tuple[str, int, str | None]:
    """Run one chunk; the third value describes the first finding."""
    target = TARGETS[name]
    run, allowed = target.run, target.may_raise
    for data in inputs(target.seeds, random.Random(f"{seed} {name}"), count):
        try:
            run(data)
        except allowed:
            continue
        except Exception:
            return name, count, f"{name} {data.hex()}\n{traceback.format_exc(limit=-4)}"
    return name, count, None


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description="Random and damaged bytes for every decoder.")
    parser.add_argument("target", nargs="*", help=f"which decoders (all when none is named): {', '.join(TARGETS)}")
    parser.add_argument("--count", type=int, default=1_000_000, help="how many inputs in all (default: a million)")
    parser.add_argument("--seed", default=None, help="repeats a run; printed at the start")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="how many at once (default: all cores)")
    chosen = parser.parse_args()
    if unknown := set(chosen.target) - set(TARGETS):
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    seed = chosen.seed or f"{random.SystemRandom().getrandbits(32):08x}"
    names = chosen.target or list(TARGETS)
    share = -(-chosen.count // len(names))
    chunks = [
        (name, f"{seed}/{start}", min(CHUNK, share - start)) for start in range(0, share, CHUNK) for name in names
    ]
    print(f"fuzz: {share * len(names):,} inputs for {', '.join(names)}; --seed {seed}", file=sys.stderr)
    return shoot(chunks, chosen.processes)


def shoot(chunks: list[tuple[str, str, int]], processes: int) -> int:
    started, done, findings = time.monotonic(), 0, {}
    total = sum(count for _, _, count in chunks)
    with ProcessPoolExecutor(processes) as pool:
        for future in as_completed([pool.submit(fire, *chunk) for chunk in chunks]):
            name, count, finding = future.result()
            done += count
            if finding and name not in findings:
                findings[name] = finding
                print(f"fuzz: FOUND {finding}", flush=True)
            if sys.stderr.isatty():
                print(f"\rfuzz: {done:,} of {total:,}", end="", file=sys.stderr, flush=True)
    print(f"\nfuzz: {done:,} inputs in {time.monotonic() - started:.0f} s, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
