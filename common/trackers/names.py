"""What there is to keep curves with."""

AUTO = "auto"  # TensorBoard, where it is installed
TRACKERS = AUTO, TENSORBOARD, WANDB, MLFLOW = (AUTO, "tensorboard", "wandb", "mlflow")
