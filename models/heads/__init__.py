"""Small networks on top of frozen features."""
