"""The evaluation step: what a backbone or a task model is worth, beside baselines."""
