"""What pretraining minimises, and how the teacher follows."""
