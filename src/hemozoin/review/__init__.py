"""A person looks at some of a slide's cells, and the count follows from machine and person.

a screened slide
  │  found_cells    the red cells of the slide, from its tables
  │  worklist       cells drawn at random for a person, each with its known chance
  ▼
answers of people
  │  reviews        reviews.csv: one row a review, only ever added to
  │  agreement      which cell a review is about; readers who agree and who do not
  │  estimate       infected cells of the whole slide, with an interval
  ▼
parasitaemia of machine and person together
"""
