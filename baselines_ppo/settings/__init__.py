"""Every number of a training: fields, algorithms, presets, and what a resume may change."""
