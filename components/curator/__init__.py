"""The curating step: tiles in, what is worth learning from out."""
