"""Which trials a sweep runs: a search asks for them one by one, and is told how each of them ended."""
