"""From a configuration to a dataset on disk: the plan, its shards and workers, and the way back to BOP."""
