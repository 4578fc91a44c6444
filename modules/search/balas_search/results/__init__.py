"""From found documents to replies: options, order, contents."""
