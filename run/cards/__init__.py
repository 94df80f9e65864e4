"""The cards of pretrained agents: made, measured, printed."""
