"""The loops of the fast paths: stacks of networks, sparse inputs, sparse weights."""
