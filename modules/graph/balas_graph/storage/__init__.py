"""The graph itself: nodes, edges, names, indexes, and how it is kept in files."""
