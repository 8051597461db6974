// Numbers as the reports write them.

export const many = (value) => Math.round(value).toLocaleString("en");

/** Return a share, 0..1, as a percentage with two significant digits and without exponent. */
export function percent(share) {
  const value = 100 * share;
  if (value === 0) return "0";
  const digits = Math.max(0, 1 - Math.floor(Math.log10(Math.abs(value))));
  return value.toFixed(Math.min(digits, 5));
}

/** Return a number with two significant digits, such as 12,000. */
export const twoDigits = (value) => Number(value.toPrecision(2)).toLocaleString("en", { maximumFractionDigits: 6 });

export const day = (time) => time.slice(0, 10);
