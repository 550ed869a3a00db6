"""A small synthetic world: deterministic imagery, geodata and truth, the product's demo and the tests' ground."""
