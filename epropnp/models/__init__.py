"""Networks that predict dense correspondences: timm backbones, heads, and the two joined."""
