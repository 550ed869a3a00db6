"""The fine-tuning step: a head for a task, on a frozen backbone."""
