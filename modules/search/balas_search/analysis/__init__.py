"""From text to terms: tokens, stop words, stems, phonetic codes."""
