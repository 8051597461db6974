// The answers, and their keys.

export const ANSWERS = [
  ["p", "P", "parasitized", "Parasitized"],
  ["u", "U", "uninfected", "Uninfected"],
  ["n", "N", "not a red cell", "Not a red cell"],
  ["?", "?", "can't tell", "Can't tell"],
];

/** Return the answer of a key; undefined for another one. */
export const answerKey = (event) => ANSWERS.find(([key]) => key === event.key.toLowerCase())?.[2];
