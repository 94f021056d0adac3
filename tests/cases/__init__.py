"""What several tests share: networks, chips, files, peers."""
