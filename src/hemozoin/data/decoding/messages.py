"""Messages of the decoders: kept for the error of their picture, not printed.

libtiff prints every error itself, past Python, to the standard error of the process. It has one
handler for the whole process, but calls it in the thread that decodes. So the handler is set once,
and each thread collects its own messages. Warnings and log records of Pillow are not printed
either while a thread collects. Where no thread of this package decodes, everything is printed as
without it.
"""

from __future__ import annotations

import ctypes
import logging
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from PIL import _imaging

#: Messages that are kept of one picture: the first one names the cause.
_KEPT = 3

#: Longest message in bytes.
_LONGEST = 200

_thread = threading.local()

#: A handler of libtiff: the function that failed, a printf format, and its arguments (va_list).
_HANDLER = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)


@contextmanager
def collected_messages() -> Iterator[list[str]]:
    """Yield a list of libtiff's errors in this thread, filled until the block ends."""
    before, messages = _collecting(), list[str]()
    _thread.messages = messages
    try:
        yield messages
    finally:
        _thread.messages = before


def _collecting() -> list[str] | None:
    return getattr(_thread, "messages", None)


def _hide_warnings() -> None:
    """Print no warning of a thread that collects."""
    forward = warnings.showwarning

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if _collecting() is None:
            forward(message, category, filename, lineno, file, line)

    warnings.showwarning = show
    logging.getLogger("PIL").addHandler(logging.NullHandler())  # else Python prints errors itself


def _handle_libtiff() -> list[Any]:
    """Set the handlers of the libtiff that Pillow uses; return them, since they must be kept.

    Nothing is set where libtiff's functions can't be reached, as in a Pillow that contains them.
    """
    try:
        libtiff, libc = ctypes.CDLL(_imaging.__file__), ctypes.CDLL(None)
        setters = [libtiff.TIFFSetErrorHandler, libtiff.TIFFSetWarningHandler]
        format_arguments = libc.vsnprintf
    except (AttributeError, OSError, TypeError):
        return []
    handlers = []
    for setter, keep in zip(setters, (True, False), strict=True):
        setter.restype, setter.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
        before: list[Any] = []
        handler = _HANDLER(_handler(format_arguments, keep, before))
        handlers.append(handler)
        address = setter(ctypes.cast(handler, ctypes.c_void_p))
        before += [ctypes.cast(address, _HANDLER)] if address else []
    return handlers


def _handler(
    format_arguments: Callable[..., int], keep: bool, before: list[Any]
) -> Callable[[bytes | None, bytes, int | None], None]:
    """Return a handler that collects, or calls the handler `before` in other threads."""

    def handle(function: bytes | None, text: bytes, arguments: int | None) -> None:
        messages = _collecting()
        if messages is None:
            for handler in before:
                handler(function, text, arguments)
        elif keep and len(messages) < _KEPT:
            buffer = ctypes.create_string_buffer(_LONGEST)
            size = ctypes.c_size_t(_LONGEST)
            format_arguments(buffer, size, text, ctypes.c_void_p(arguments))
            messages.append(buffer.value.decode(errors="replace"))

    return handle


_hide_warnings()
_HANDLERS = _handle_libtiff()
