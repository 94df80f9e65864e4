"""Programs that keep the curves of many runs: TensorBoard, Weights & Biases, MLflow; a file for each."""
