"""Agents as files for other runtimes: ONNX, TFLite, SavedModel."""
