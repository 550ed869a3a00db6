"""Mapping jobs: a request in, blocks to workers, a map out. The job table is the truth, the bus only delivers."""
