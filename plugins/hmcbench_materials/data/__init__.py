"""The tables of steels and alloys: where they lie, how they are read, and what is wrong with them."""
