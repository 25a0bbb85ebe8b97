"""LiteRT files whose masked weights are stored sparse."""
