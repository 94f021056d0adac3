"""The synapses as they lie in a board's flash: what is programmed there, and the checksum by which the design knows it."""

import zlib
from collections.abc import Iterable

OFFSET = 1 << 20  # bytes from the begin of the flash: behind every bitstream
REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def image(lanes: Iterable[Iterable[int]], bits: int) -> bytes:
    """Return the words of all lanes, one lane after the other: each in as many whole bytes as it needs, the highest first."""
    size = -(-bits // 8)
    return b"".join(int(word).to_bytes(size, "big") for words in lanes for word in words)


def checksum(data: bytes) -> int:
    """Return the CRC-32/MPEG-2 of the bytes, as `snn_flash.v` computes it bit by bit: the highest bit of a byte first."""
    reflected = zlib.crc32(data.translate(REVERSED)) ^ 0xFFFFFFFF
    return int(f"{reflected:032b}"[::-1], 2)
