"""From a policy to answers, texts and scores."""
