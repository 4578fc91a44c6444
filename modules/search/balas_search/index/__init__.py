"""An index: its documents, columns, fields and terms, and how it follows the keys."""
