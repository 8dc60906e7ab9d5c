"""Design aids: what the formulas say of a scenario's search and of its fine loops."""
