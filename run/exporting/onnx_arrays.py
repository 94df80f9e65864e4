"""A third kind of arrays that networks are written over: nodes of an ONNX graph, appended as they are computed.

Each array carries an example, which numpy computes along: its type is the array's type, and its shape the array's but
for the first axis, whose size is free. So the rules of types and shapes are numpy's own.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from baselines_ppo.common.policy.arrays import NUMPY, Array, Arrays
from baselines_ppo.common.policy.layers import convolution

FARTHEST = np.iinfo(np.int64).max  # the end of a slice that has none
EXAMPLES = 2  # rows of what is given
WHOLE = (int, np.integer)

Function = Callable[..., Any]  # of numpy's arrays


class Node(NamedTuple):
    """An operator of ONNX that is applied."""

    operator: str
    inputs: tuple[str, ...]
    output: str
    attributes: dict[str, Any]


class Graph:
    """Nodes in the order in which they are computed, and the constants that they take."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.constants: dict[str, np.ndarray] = {}
        self._names: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    def given(self, name: str, shape: tuple[int, ...], dtype: np.dtype) -> Tensor:
        """Return an input [n, *shape]."""
        return Tensor(self, name, np.zeros((EXAMPLES, *shape), dtype))

    def add(self, operator: str, example: np.ndarray, *inputs: Array, **attributes: Any) -> Tensor:
        """Append a node; returns its output.

        Args:
          example: what it makes of the examples of its inputs.
        """
        names = tuple(x.name if isinstance(x, Tensor) else self._constant(np.asarray(x)) for x in inputs)
        self.nodes.append(Node(operator, names, f"{operator}_{len(self.nodes)}", attributes))
        return Tensor(self, self.nodes[-1].output, example)

    def _constant(self, value: np.ndarray) -> str:
        key = value.dtype.str, value.shape, value.tobytes()
        name = self._names.setdefault(key, f"constant_{len(self._names)}")
        self.constants[name] = value
        return name

    def needed(self, outputs: Iterable[str]) -> list[Node]:
        """Return the nodes that these outputs depend on."""
        wanted, kept = set(outputs), []
        for node in reversed(self.nodes):
            if node.output in wanted:
                wanted.update(node.inputs)
                kept.append(node)
        return kept[::-1]


def _operator(name: str, function: Function, reflected: bool = False) -> Callable[[Tensor, Any], Tensor]:
    def apply(self: Tensor, other: Any) -> Tensor:
        return _elementwise(name, function, *((other, self) if reflected else (self, other)))

    return apply


class Tensor:
    """An array [n, ...] that is computed when the graph runs, with numpy's operators."""

    __array_ufunc__ = None  # numpy's arrays leave their operators to ours

    def __init__(self, graph: Graph, name: str, example: np.ndarray) -> None:
        self.graph, self.name, self.example = graph, name, example

    @property
    def dtype(self) -> np.dtype:
        return self.example.dtype

    @property
    def ndim(self) -> int:
        return self.example.ndim

    @property
    def shape(self) -> tuple[int | None, ...]:
        """The first size is free."""
        return (None, *self.example.shape[1:])

    __add__, __radd__ = _operator("Add", np.add), _operator("Add", np.add, True)
    __sub__, __rsub__ = _operator("Sub", np.subtract), _operator("Sub", np.subtract, True)
    __mul__, __rmul__ = _operator("Mul", np.multiply), _operator("Mul", np.multiply, True)
    __truediv__, __rtruediv__ = _operator("Div", np.divide), _operator("Div", np.divide, True)
    __matmul__, __rmatmul__ = _operator("MatMul", np.matmul), _operator("MatMul", np.matmul, True)
    __pow__ = _operator("Pow", np.power)
    __lt__, __gt__ = _operator("Less", np.less), _operator("Greater", np.greater)
    __le__, __ge__ = _operator("LessOrEqual", np.less_equal), _operator("GreaterOrEqual", np.greater_equal)
    __eq__ = _operator("Equal", np.equal)  # type: ignore[assignment]
    __hash__ = None  # type: ignore[assignment]

    def __neg__(self) -> Tensor:
        return self.graph.add("Neg", -self.example, self)

    def __getitem__(self, key: Any) -> Tensor:
        """Return what numpy's basic indexing returns: of numbers, slices, None and an ellipsis."""
        keys = list(key) if isinstance(key, tuple) else [key]
        at = next((k for k, item in enumerate(keys) if item is Ellipsis), len(keys))
        missing = self.ndim - sum(item is not None and item is not Ellipsis for item in keys)
        keys[at : at + 1] = [slice(None)] * missing
        x = _sliced(self, [item for item in keys if item is not None])
        remaining = [item for item in keys if not isinstance(item, WHOLE)]
        added = [axis for axis, item in enumerate(remaining) if item is None]
        if not added:
            return x
        return self.graph.add("Unsqueeze", np.expand_dims(x.example, tuple(added)), x, np.array(added, np.int64))


def _sliced(x: Tensor, keys: list[Any]) -> Tensor:
    """Return x indexed by a number or a slice on each axis."""
    spans, dropped = [], []
    for axis, item in enumerate(keys):
        if isinstance(item, WHOLE):
            spans.append((item, item + 1 or FARTHEST, axis, 1))
            dropped.append(axis)
        elif item != slice(None):
            step = 1 if item.step is None else item.step
            if step < 1:
                raise TypeError("slices of steps below 1")
            spans.append((item.start or 0, FARTHEST if item.stop is None else item.stop, axis, step))
    if spans:
        slices = tuple(slice(item, item + 1 or None) if isinstance(item, WHOLE) else item for item in keys)
        columns = (np.array(column, np.int64) for column in zip(*spans, strict=True))
        x = x.graph.add("Slice", x.example[slices], x, *columns)
    if dropped:
        x = x.graph.add("Squeeze", x.example.squeeze(tuple(dropped)), x, np.array(dropped, np.int64))
    return x


def _example(x: Any) -> Any:
    return x.example if isinstance(x, Tensor) else x


def _cast(x: Any, dtype: Any) -> Any:
    """Return x in another type, if it is not of that type already."""
    kind = np.dtype(dtype)
    if not isinstance(x, Tensor):
        return np.asarray(x, kind)
    if x.dtype == kind:
        return x
    with np.errstate(invalid="ignore"):
        return x.graph.add("Cast", x.example.astype(kind), x, to=kind)


def _elementwise(name: str, function: Function, *inputs: Any) -> Any:
    """Return a function of some arrays, which ONNX takes in one type: that of the result, or the common one."""
    graph = next((x.graph for x in inputs if isinstance(x, Tensor)), None)
    examples = [_example(x) for x in inputs]
    with np.errstate(all="ignore"):
        example = np.asarray(function(*examples))
    if graph is None:
        return example
    common = np.result_type(*examples) if example.dtype == bool else example.dtype
    return graph.add(name, example, *(_cast(x, common) for x in inputs))


def _of_arrays(name: str, function: Function) -> Function:
    """Return a function of numpy's that is an operator of ONNX on its graph's arrays."""
    return functools.partial(_elementwise, name, function)


def _of_numpy(constant: Function) -> Callable[[Function], Function]:
    """Return what leaves constants to a function of numpy's."""

    def decorated(function: Function) -> Function:
        @functools.wraps(function)
        def apply(x: Any, *arguments: Any, **keywords: Any) -> Any:
            return (function if isinstance(x, Tensor) else constant)(x, *arguments, **keywords)

        return apply

    return decorated


def _where(condition: Any, x: Any, y: Any) -> Any:
    examples = [_example(each) for each in (condition, x, y)]
    example = np.where(*examples)
    tensors = [each for each in (condition, x, y) if isinstance(each, Tensor)]
    if not tensors:
        return example
    return tensors[0].graph.add("Where", example, condition, _cast(x, example.dtype), _cast(y, example.dtype))


@_of_numpy(NUMPY.sum)
def _sum(x: Tensor, axis: int, keepdims: bool = False) -> Tensor:
    example = x.example.sum(axis=axis, keepdims=keepdims, dtype=x.dtype)
    return x.graph.add("ReduceSum", example, x, np.array([axis], np.int64), keepdims=int(keepdims))


@_of_numpy(NUMPY.max)
def _max(x: Tensor, axis: int, keepdims: bool = False) -> Tensor:
    return x.graph.add("ReduceMax", x.example.max(axis=axis, keepdims=keepdims), x, axes=[axis], keepdims=int(keepdims))


@_of_numpy(NUMPY.reshape)
def _reshape(x: Tensor, shape: Any) -> Tensor:
    sizes = [-1 if size is None else int(size) for size in shape]
    return x.graph.add("Reshape", x.example.reshape(sizes), x, np.array(sizes, np.int64))


def _concatenate(arrays: Any, axis: int) -> Any:
    example = np.concatenate([_example(x) for x in arrays], axis=axis)
    tensors = [x for x in arrays if isinstance(x, Tensor)]
    if not tensors:
        return example
    return tensors[0].graph.add("Concat", example, *(_cast(x, example.dtype) for x in arrays), axis=axis)


@_of_numpy(np.transpose)
def _transpose(x: Tensor, axes: list[int]) -> Tensor:
    return x.graph.add("Transpose", x.example.transpose(axes), x, perm=list(axes))


def _argmax(x: Tensor, axis: int) -> Tensor:
    return x.graph.add("ArgMax", x.example.argmax(axis=axis), x, axis=axis, keepdims=0)


@convolution.register(Tensor)
def _convolution(x: Tensor, weights: np.ndarray, stride: int) -> Tensor:
    """Return what ONNX computes over [B, C, H, W], with a transposition before and after."""
    example = convolution(x.example, weights, stride)
    rows = _transpose(x, [0, 3, 1, 2])
    kernel = np.ascontiguousarray(weights.transpose(3, 2, 0, 1))
    convolved = x.graph.add("Conv", example.transpose(0, 3, 1, 2), rows, kernel, strides=[stride, stride])
    return _transpose(convolved, [0, 2, 3, 1])


# The same as `ACTING`.
ONNX = Arrays(
    tanh=_of_arrays("Tanh", np.tanh),
    exp=_of_arrays("Exp", np.exp),
    log=_of_arrays("Log", np.log),
    abs=_of_arrays("Abs", np.abs),
    maximum=_of_arrays("Max", np.maximum),
    minimum=_of_arrays("Min", np.minimum),
    where=_where,
    sum=_sum,
    max=_max,
    reshape=_reshape,
    concatenate=_concatenate,
    asarray=_cast,
    argmax=_argmax,
    rint=_of_arrays("Round", np.rint),
    transpose=_transpose,
    difference=lambda x, subtracted: _cast(x, np.float64) - subtracted,
    wide=np.dtype(np.float64),
)
