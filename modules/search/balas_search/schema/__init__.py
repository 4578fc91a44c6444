"""What FT.CREATE and FT.ALTER say: options of an index and its fields."""
