/** The value raw, as JSON, URL-encoded, as hexadecimal, and the part of its base64 that is the same at any offset in a longer text. */
export function secretForms(value: string): readonly string[] {
  const bytes = Buffer.from(value, 'utf8');
  const encoded = encodeURIComponent(bytes.toString('utf8'));
  const base64 = [0, 1, 2].flatMap((offset) => {
    const padded = Buffer.concat([Buffer.alloc(offset), bytes]);
    const whole = padded.subarray(0, padded.length - (padded.length % 3)).toString('base64');
    const core = whole.slice(offset === 0 ? 0 : 4);
    return [core, core.replaceAll('+', '-').replaceAll('/', '_')];
  });
  const derived = [
    JSON.stringify(value).slice(1, -1),
    encoded,
    encoded.toLowerCase(),
    encoded.replaceAll('%20', '+'),
    encoded.replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`),
    bytes.toString('hex'),
    bytes.toString('hex').toUpperCase(),
    bytes.toString('base64'),
    bytes.toString('base64url'),
    ...base64,
  ];
  return [value, ...derived.filter((form) => form.length >= 6)];
}
