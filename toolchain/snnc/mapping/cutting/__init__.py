"""How neurons are put on cores: the parts that strategies are made of."""
