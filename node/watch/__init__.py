"""What is wrong right now, in one set of words: signs, and who is told of them."""
