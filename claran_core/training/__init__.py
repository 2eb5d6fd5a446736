"""Parts of a training: recipes and schedules, its state, and how it passes through a checkpoint."""
