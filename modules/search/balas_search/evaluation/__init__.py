"""From a tree to documents and scores: plan, cursors over whole postings, scorers."""
