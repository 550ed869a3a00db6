"""The pretraining step: a backbone from unlabelled tiles, by self-distillation."""
