"""Datasets: the folders of sites and of tiles, on a map and as pictures."""
