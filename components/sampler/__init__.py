"""The sampler: describes the cells of the equal-area grid, and draws sites from them."""
