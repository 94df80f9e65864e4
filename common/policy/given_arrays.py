"""What an environment gives, as an array of what its space declares: exactly, or refused in one line."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from baselines_ppo.common.failures import printable

LARGEST = float(np.finfo(np.float32).max)  # that can be learned from
MOST_PLACES = 10  # that an error names
NUMBERS = "biuf"  # kinds of dtypes; what else converts to floats without loss, such as bfloat16, is taken too

Limits = tuple[np.ndarray, np.ndarray]  # lowest and highest, of the declared shape and dtype


class WrongShapeError(ValueError):
    """What was given is of another shape, or nothing that has one."""


def array_of(given: Any, shape: tuple[int, ...], dtype: np.dtype, limits: Limits | None = None) -> np.ndarray:
    """Return what was given, itself where it is an array of this shape and dtype already.

    Floats are rounded to the declared dtype. Whole numbers must be given as such, and within their limits.

    Args:
      limits: of whole numbers, where they are narrower than those of the dtype.

    Raises:
      WrongShapeError: it has another shape, which numpy might broadcast, or holds no numbers.
      ValueError: its numbers are not what was declared.
    """
    if type(given) is np.ndarray and given.dtype == dtype and given.shape == shape:
        array = given
    else:
        array = _cast(_plain(given, shape), dtype, limits)
    if limits is not None and ((array < limits[0]) | (array > limits[1])).any():
        raise ValueError(_outside(np.asarray(given), (array < limits[0]) | (array > limits[1]), limits))
    return array


def limits_of(low: np.ndarray, high: np.ndarray) -> Limits | None:
    """Return what is to be checked of whole numbers between these; None where their dtype alone holds it."""
    if low.dtype.kind not in "iu":
        return None
    of_dtype = np.iinfo(low.dtype)
    return None if (low == of_dtype.min).all() and (high == of_dtype.max).all() else (low, high)


def working_dtype(dtype: np.dtype) -> np.dtype:
    """Return float32 where it holds every number of a dtype; else float64, until a mean is subtracted."""
    return np.dtype(np.float32 if np.can_cast(dtype, np.float32) else np.float64)


def unlearnable(observations: np.ndarray) -> tuple[int, str] | None:
    """Return the first row of [n, ...] with numbers that cannot be learned from, and which; None: there is none."""
    if observations.dtype.kind != "f":
        return None
    fits = np.abs(observations) <= min(LARGEST, float(np.finfo(observations.dtype).max))  # float16 holds less
    if fits.all():
        return None
    row = int(np.flatnonzero(~fits.reshape(len(fits), -1).all(axis=1))[0])
    numbers, places = observations[row].ravel(), np.flatnonzero(~fits[row])
    words = []
    for name, kind in (("NaN", np.isnan), ("Inf", np.isinf)):
        if len(there := [place for place in places.tolist() if kind(numbers[place])]):
            words.append(f"{name} at {there[:MOST_PLACES]}")
    if len(there := [place for place in places.tolist() if np.isfinite(numbers[place])]):
        words.append(f"{numbers[there[0]]:g} at {there[:MOST_PLACES]}, beyond what float32 holds ({LARGEST:.1e})")
    return row, " and ".join(words)


def is_masked(given: Any) -> bool:
    """Return whether this is an array of numpy's that hides some of its numbers."""
    return isinstance(given, np.ma.MaskedArray) and bool(np.ma.getmaskarray(given).any())


def _plain(given: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return numbers of any dtype as an array of this shape."""
    if is_masked(given):
        hidden = int(np.ma.getmaskarray(given).sum())
        raise ValueError(f"a masked array that hides {hidden} of its numbers, expected an array with all; fill it")
    try:
        array = np.asarray(given)
    except Exception as error:  # lists of uneven lengths, tensors that are elsewhere
        reason = re.split(r"\.\s", printable(error))[0]
        raise WrongShapeError(f"{named(given)} that numpy does not take ({reason}), expected shape {shape}") from None
    if array.dtype.kind not in NUMBERS and (array.dtype.names or not np.can_cast(array.dtype, np.float64)):
        held = "" if array.ndim == 0 else f" of {array.dtype.name} items"
        raise WrongShapeError(f"{named(given)}{held}, expected numbers of shape {shape}")
    if array.shape != shape:
        got = array.shape if isinstance(given, np.ndarray) else f"{named(given)} of shape {array.shape}"
        raise WrongShapeError(f"{got}, expected shape {shape}")
    return array


def _cast(array: np.ndarray, dtype: np.dtype, limits: Limits | None) -> np.ndarray:
    """Return numbers in the declared dtype: floats rounded to it, whole numbers as they are."""
    with np.errstate(over="ignore", invalid="ignore"):  # what becomes Inf or NaN is refused, with its origin
        cast = array.astype(dtype)
        if array.dtype == dtype:
            return cast
        if dtype.kind == "f":
            if (beyond := np.isinf(cast) & (np.abs(array) != np.inf)).any():
                most = float(np.finfo(dtype).max)
                raise ValueError(f"{_first(array, beyond)}, beyond what {dtype.name} holds ({most:.1e}), expected less")
            return cast
        changed = (cast != array) | ((cast < 0) != (array < 0))
    if changed.any():
        raise ValueError(_outside(array, changed, limits or _range_of(dtype, array.shape)))
    return cast


def _range_of(dtype: np.dtype, shape: tuple[int, ...]) -> Limits:
    low, high = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    return np.full(shape, low, dtype), np.full(shape, high, dtype)


def _outside(array: np.ndarray, where: np.ndarray, limits: Limits) -> str:
    """Return what is wrong with the first number that does not fit."""
    first = tuple(np.argwhere(where)[0].tolist())
    low, high = (int(np.broadcast_to(limit, where.shape)[first]) for limit in limits)
    return f"{_first(array, where)}, expected whole numbers from {low} to {high}"


def _first(array: np.ndarray, where: np.ndarray) -> str:
    """Return the first of these numbers, and its place."""
    first = tuple(np.argwhere(where)[0].tolist())
    return f"{array[first]}{f' at {list(first)}' if first else ''}"


def named(given: Any) -> str:
    """Return an object as a type that a user knows, such as a list or a torch.Tensor."""
    if given is None:
        return "None"
    kind = type(given)
    package = "" if kind.__module__ == "builtins" else f"{kind.__module__.split('.')[0]}."
    return f"{'an' if (package or kind.__qualname__)[0] in 'aeiou' else 'a'} {package}{kind.__qualname__}"
