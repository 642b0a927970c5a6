"""The config tree, the recipes, and the one trainer that every trial shares."""
