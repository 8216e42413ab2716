"""Trained models on new samples: predictions, saliency maps, importance of inputs."""
