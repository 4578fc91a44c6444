"""openCypher as text: tokens, the tree, the parser, and what can be refused before it runs."""
