"""From the text of a query to a tree: tokens, parser, expansion, and the tree in words."""
