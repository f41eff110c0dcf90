"""Where examples come from: files of images and labels, which of them a trial sees, and what is done to them."""
