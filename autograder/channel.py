"""Plain data between the grader and the student's process: JSON headers and raw arrays.

A frame is a magic number, two lengths, a JSON header and the bytes of the arrays the header
names. Nothing is ever unpickled: the reader accepts numbers, strings, containers of them and
arrays of whitelisted types, within bounds, and refuses everything else.

This module is loaded into the student's process too, so it holds nothing that is graded.
"""

import json
import math
import re
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

MAGIC = b"HW4\x01"
PREFIX = struct.Struct("!4sII")  # magic, bytes of the header, bytes of the arrays
MAX_HEADER = 8 << 20
MAX_BODY = 32 << 20
MAX_DIMENSIONS = 8
MAX_TEXT = 4000  # characters of one string a student's process may send
DTYPES = {np.dtype(code).str for code in ("?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8")} | {
    np.dtype(code).str for code in ("f2", "f4", "f8")
}


class ChannelError(Exception):
    """What arrived is not a frame, or holds what no frame may hold."""


@dataclass(frozen=True)
class Ref:
    """A name in the student's process, sent in place of a value."""

    name: str


@dataclass(frozen=True)
class Other:
    """A value that cannot be sent; only its type is told."""

    type_name: str


def encode(header: dict) -> bytes:
    """Return a header with its values as one frame.

    Parameters
    ----------
    header : dict of str to object
        Numbers, strings, None, arrays, ``Ref``, and lists, tuples, sets and dicts of these.
        Anything else is sent as its type's name.

    Raises
    ------
    ChannelError
        If the frame would be larger than a reader accepts.
    """
    buffers: list[bytes] = []
    text = json.dumps({key: _packed(value, buffers, 0) for key, value in header.items()}).encode()
    body = b"".join(buffers)
    if len(text) > MAX_HEADER or len(body) > MAX_BODY:
        raise ChannelError(f"too much data for one frame: {len(text) + len(body)} bytes")
    return PREFIX.pack(MAGIC, len(text), len(body)) + text + body


def _packed(value: Any, buffers: list[bytes], depth: int) -> Any:
    """Return a value in JSON's types, and append its arrays' bytes to buffers."""
    if depth > 8:
        return {"t": "other", "v": "deeply nested container"}
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float) and not isinstance(value, np.generic):
        return float(value)
    if isinstance(value, int):
        small = -(2**63) <= value < 2**63
        return int(value) if small else {"t": "other", "v": "integer beyond 64 bits"}
    if isinstance(value, str):
        return str(value)[:MAX_TEXT]
    if isinstance(value, Ref):
        return {"t": "ref", "v": value.name}
    if isinstance(value, Other):
        return {"t": "other", "v": value.type_name}
    if isinstance(value, (np.ndarray, np.generic)):
        return _packed_array(value, buffers)
    if isinstance(value, dict):
        pairs = [
            [_packed(k, buffers, depth + 1), _packed(v, buffers, depth + 1)]
            for k, v in value.items()
        ]
        return {"t": "dict", "v": pairs}
    for kind, types in (("list", list), ("tuple", tuple), ("set", (set, frozenset))):
        if isinstance(value, types):
            return {"t": kind, "v": [_packed(entry, buffers, depth + 1) for entry in value]}
    return {"t": "other", "v": type(value).__name__[:100]}


def _packed_array(value: np.ndarray | np.generic, buffers: list[bytes]) -> dict:
    """Return an array's description, and append its bytes to buffers."""
    array = np.asarray(value)
    dtype = array.dtype.newbyteorder("<").str if array.dtype.kind in "iuf" else array.dtype.str
    if dtype not in DTYPES or array.ndim > MAX_DIMENSIONS:
        return {"t": "other", "v": f"array of dtype {array.dtype} and shape {array.shape}"[:100]}
    buffers.append(np.ascontiguousarray(array, dtype=dtype).tobytes())
    return {
        "t": "scalar" if isinstance(value, np.generic) else "array",
        "dtype": dtype,
        "shape": list(array.shape),
    }


def decode(text: bytes, body: bytes) -> dict:
    """Return the header of a frame, with its arrays in place.

    Raises
    ------
    ChannelError
        If anything in it is not as ``encode`` writes it.
    """
    try:
        header = json.loads(text)
        if not isinstance(header, dict):
            raise ChannelError("the header is not an object")
        reader = _Reader(body)
        result = {key: reader.unpacked(value) for key, value in header.items()}
    except ChannelError:
        raise
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
        raise ChannelError(f"malformed frame: {type(error).__name__}") from None
    if reader.position != len(body):
        raise ChannelError("bytes that belong to no array")
    return result


class _Reader:
    """Rebuilds values from JSON's types and a body of array bytes."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.position = 0

    def unpacked(self, value: Any) -> Any:
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        if not isinstance(value, dict):
            raise ChannelError("a bare JSON list")
        kind, content = value["t"], value.get("v")
        if kind in ("array", "scalar"):
            array = self._array(value["dtype"], value["shape"])
            return array if kind == "array" else array[()]
        if kind in ("ref", "other"):
            return (Ref if kind == "ref" else Other)(str(content)[:100])
        if not isinstance(content, list):
            raise ChannelError("a container without a list")
        if kind == "dict":
            return {_hashable(self.unpacked(k)): self.unpacked(v) for k, v in content}
        make = {"list": list, "tuple": tuple, "set": lambda v: {_hashable(e) for e in v}}[kind]
        return make([self.unpacked(entry) for entry in content])

    def _array(self, dtype: str, shape: list) -> np.ndarray:
        if dtype not in DTYPES or len(shape) > MAX_DIMENSIONS:
            raise ChannelError("an array of a type that is not allowed")
        if not all(isinstance(n, int) and 0 <= n <= MAX_BODY for n in shape):
            raise ChannelError("an array of an impossible shape")
        size = math.prod(shape) * np.dtype(dtype).itemsize
        if self.position + size > len(self.body):
            raise ChannelError("an array that is larger than its frame")
        part = self.body[self.position : self.position + size]
        self.position += size
        return np.frombuffer(part, dtype=dtype).reshape(shape).copy()


def _hashable(value: Any) -> Any:
    """Return a value that may be a key or a set's member."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (list, dict, set, np.ndarray)):
        raise ChannelError("an unhashable key")
    return value


def without_paths(text: str) -> str:
    """Return a text in which only the last part of every absolute path is left."""
    return re.sub(r"(?<![\w.)\]])(?:/[\w.+@-]+)+/([\w.+@-]+)", r"\1", text)


class FrameReader:
    """Cuts a stream of bytes into frames.

    Parameters
    ----------
    max_total : int
        Bytes accepted in all.
    """

    def __init__(self, max_total: int = 64 << 20) -> None:
        self.buffer = bytearray()
        self.left = max_total

    def feed(self, data: bytes) -> list[dict]:
        """Return the frames that are complete once data has arrived.

        Raises
        ------
        ChannelError
            If the stream is not made of frames, or is too long.
        """
        self.left -= len(data)
        if self.left < 0:
            raise ChannelError("more data than any check needs")
        self.buffer += data
        frames = []
        while len(self.buffer) >= PREFIX.size:
            magic, header, body = PREFIX.unpack_from(self.buffer)
            if magic != MAGIC or header > MAX_HEADER or body > MAX_BODY:
                raise ChannelError("not a frame")
            end = PREFIX.size + header + body
            if len(self.buffer) < end:
                break
            text = bytes(self.buffer[PREFIX.size : PREFIX.size + header])
            frames.append(decode(text, bytes(self.buffer[PREFIX.size + header : end])))
            del self.buffer[:end]
        return frames
