"""Agents as ONNX files, without TensorFlow: networks and all around them are written over the nodes of a graph."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from baselines_ppo.common.failures import UsageError
from baselines_ppo.common.policy.policy import Policy
from baselines_ppo.run.exporting.inputs import inputs_of
from baselines_ppo.run.exporting.onnx_arrays import ONNX, Graph, Tensor
from baselines_ppo.run.exporting.trial import Runner
from baselines_ppo.run.exporting.whole_policy import act

# Both of early 2022: ONNX Runtime 1.11 and all later ones read them.
OPSET, IR = 16, 8
METADATA = "baselines_ppo"  # the key under which the file has the description of the agent
BATCH = "n"  # what the first size is called


def check_onnx() -> None:
    """Check that there is what writes such files.

    Raises:
      UsageError: there is not.
    """
    try:
        import onnx  # noqa: F401
    except ImportError:
        raise UsageError("onnx is not installed; pip install 'onnx>=1.16'") from None


def onnx_file(policy: Policy, description: Mapping[str, Any]) -> bytes:
    """Return a policy as the bytes of an ONNX file.

    Args:
      description: is kept in the file, as JSON in its metadata.

    Raises:
      TypeError, AttributeError, ValueError: its own network does more than there is in ONNX.
    """
    from onnx import checker, helper

    graph, network = Graph(), policy.network
    given = {each.name: graph.given(each.name, each.shape, each.dtype) for each in inputs_of(network)}
    parameters = network.layout.split(policy.parameters)
    results = act(ONNX, policy, parameters, given)
    model = helper.make_model(
        _written(graph, given, results),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR,
        producer_name="baselines_ppo",
    )
    helper.set_model_props(model, {METADATA: json.dumps(description, allow_nan=False)})
    checker.check_model(model)
    data: bytes = model.SerializeToString()
    return data


def runner_of_onnx(data: bytes) -> Runner:
    """Return what such a file does, as computed in numpy by the reference of ONNX itself."""
    from onnx import load_from_string
    from onnx.reference import ReferenceEvaluator

    evaluator = ReferenceEvaluator(load_from_string(data))
    return lambda given: dict(zip(evaluator.output_names, evaluator.run(None, given), strict=True))


def _written(graph: Graph, given: Mapping[str, Tensor], results: Mapping[str, Tensor]) -> Any:
    """Return a graph in ONNX's own form, whose outputs have the names of the results."""
    from onnx import helper, numpy_helper

    named = {graph.add("Identity", x.example, x).name: name for name, x in results.items()}
    nodes = graph.needed(named)
    used = {name for node in nodes for name in node.inputs}
    return helper.make_graph(
        [
            helper.make_node(node.operator, node.inputs, [named.get(node.output, node.output)], **_attributes(node[3]))
            for node in nodes
        ],
        "policy",
        [_value(name, x) for name, x in given.items()],
        [_value(name, x) for name, x in results.items()],
        [numpy_helper.from_array(value, name) for name, value in graph.constants.items() if name in used],
    )


def _value(name: str, x: Tensor) -> Any:
    from onnx import helper

    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(x.dtype), [BATCH, *x.shape[1:]])


def _attributes(attributes: dict[str, Any]) -> dict[str, Any]:
    from onnx import helper

    kinds = {name: x for name, x in attributes.items() if isinstance(x, np.dtype)}
    return {**attributes, **{name: helper.np_dtype_to_tensor_dtype(kind) for name, kind in kinds.items()}}
