"""A trained network as an ONNX graph."""

from pathlib import Path

import onnx
import torch
from torch import nn


def export_onnx(network: nn.Module, channels: int, input_px: int, opset: int, path: Path) -> None:
    """Write a network with a free number of images as ONNX.

    Args:
        network: takes images (N, channels, input_px, input_px) and gives probabilities.
        channels: C.
        input_px: side of the images.
        opset: ONNX operator set.
        path: of the file to write.
    """
    example = torch.zeros(2, channels, input_px, input_px)
    program = torch.onnx.export(
        network.eval(),
        (example,),
        input_names=["images"],
        output_names=["probabilities"],
        dynamic_shapes=({0: torch.export.Dim("N")},),
        opset_version=opset,
        dynamo=True,
        optimize=True,
        verbose=False,
    )
    model = program.model_proto  # type: ignore[union-attr]
    forget_origin(model)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def forget_origin(model: onnx.ModelProto) -> None:
    """Take out the exporter's stack traces: they name files of the machine it ran on, and differ from one machine to the next."""
    del model.metadata_props[:]
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in [*model.graph.value_info, *model.graph.input, *model.graph.output, *model.graph.initializer]:
        del value.metadata_props[:]
        value.doc_string = ""
    for function in model.functions:
        del function.metadata_props[:]
        function.doc_string = ""
        for node in function.node:
            del node.metadata_props[:]
            node.doc_string = ""
