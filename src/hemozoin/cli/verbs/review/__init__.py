"""The verbs with which a person looks at the cells of a screened slide."""
