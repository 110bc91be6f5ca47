"""What several tests share: tiny networks, datasets, scenes, servers."""
