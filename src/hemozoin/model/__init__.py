"""What a network becomes: bundle, classifier, predictions."""
