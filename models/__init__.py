"""Networks, objectives and their operators in PyTorch: tensors in, tensors out."""
