"""Many advertisements at once, to numpy columns, decryption included, on one core."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle, islice

from bench import Row, Unmeasurable, bench, rate
from bench.decode import RIVAL, per_second, their_decoder
from bench.samples import KEY, battery_monitor, solar_charger
from bluewatt import build_advertisement, decode_advertisement
from bluewatt.tables.advertisement import PRODUCT_ADVERTISEMENT

COUNT = 65536
THEIR_COUNT = 2000
GOAL = 150


def resealed(heard: list[bytes], keys: list[bytes]) -> list[bytes]:
    """The same records, each sealed with the next of `keys`."""
    made = []
    for number, (data, key) in enumerate(zip(heard, cycle(keys), strict=False)):
        assert data[0] == PRODUCT_ADVERTISEMENT
        record = decode_advertisement(data, KEY)
        product_id = int.from_bytes(data[2:4], "little")
        made.append(build_advertisement(record, product_id=product_id, key=key, nonce=number % 0x10000))
    return made


@bench
def batch() -> Iterator[Row]:
    """A battery monitor alone, and mixed with solar chargers; one key and fifty; beside victron-ble one at a time."""
    try:
        import numpy as np

        from bluewatt.wire.instant_readout.batch import decode_batch, payload_matrix
    except ImportError as missing:
        raise Unmeasurable("the batch extra is not installed") from missing
    theirs = their_decoder()
    monitors, chargers = battery_monitor(THEIR_COUNT), solar_charger(THEIR_COUNT)
    mixed = [data for pair in zip(monitors, chargers, strict=True) for data in pair]
    for name, heard in (("battery monitor", monitors), ("two kinds mixed", mixed)):
        their_rate = per_second(theirs, heard[:THEIR_COUNT])
        for keys in ([KEY], [bytes([number]) + KEY[1:] for number in range(50)]):
            some = resealed(heard, keys)[: len(heard) // len(keys) * len(keys)]
            payloads, lengths = payload_matrix(list(islice(cycle(some), COUNT)))
            owner = np.arange(COUNT) % len(some) % len(keys)

            def ours(
                payloads: object = payloads, lengths: object = lengths, keys: list[bytes] = keys, owner: object = owner
            ) -> None:
                decode_batch(payloads, lengths, keys, owner)  # type: ignore[arg-type]

            yield Row(
                name=f"batch: {name}, {len(keys)} key{'s'[: len(keys) - 1]}",
                ours=rate(ours, items=COUNT),
                theirs=their_rate,
                unit="/s",
                rival=RIVAL,
                goal=GOAL,
            )
