"""What each house lends: resources, their rules, photos and labels."""
